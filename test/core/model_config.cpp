#include "engine/core/model/model_config.hpp"

#include <doctest/doctest.h>

#include "engine/core/model/model.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;
using namespace troupe::core;
using nlohmann::json;

namespace {

json llama() { return test::tiny_config({}); }

json with(json config, const std::string& key, const json& value) {
  config[key] = value;
  return config;
}
json without(json config, const std::string& key) {
  config.erase(key);
  return config;
}

model_config parsed(const json& config) {
  const auto result = parse_model_config(config.dump());
  REQUIRE_MESSAGE(result, result.error().message);
  return *result;
}

void check_refused(const json& config, const std::string& key, errc code = errc::corrupt_data) {
  CAPTURE(config.dump());
  const auto result = parse_model_config(config.dump());
  REQUIRE_FALSE(result);
  CHECK(result.error().code == code);
  CHECK(result.error().param == key);
  CHECK(result.error().message.find(key) != std::string::npos);
}

}  // namespace

TEST_CASE("a Llama config is read whole") {
  const auto config = parsed(with(with(llama(), "bos_token_id", 1), "eos_token_id", {2, 7}));
  CHECK(config.family == model_family::llama);
  CHECK(config.hidden == 32);
  CHECK(config.intermediate == 48);
  CHECK(config.layers == 2);
  CHECK(config.heads == 4);
  CHECK(config.kv_heads == 2);
  CHECK(config.head_dim == 8);
  CHECK(config.query_width() == 32);
  CHECK(config.kv_width() == 16);
  CHECK(config.vocabulary == 65);
  CHECK(config.context_tokens == 512);
  CHECK(config.rms_norm_eps == 1e-5F);
  CHECK(config.rope == rope_config{});
  CHECK(config.bos == std::optional<token_id>(1));
  CHECK(config.eos == std::vector<token_id>{2, 7});
  CHECK_FALSE(config.tied_embeddings);
}

TEST_CASE("each required key is named when it is missing, null or of the wrong type") {
  for (const auto* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
                          "max_position_embeddings", "rms_norm_eps"}) {
    check_refused(without(llama(), key), key);
    check_refused(with(llama(), key, nullptr), key);
    check_refused(with(llama(), key, "12"), key);
    check_refused(with(llama(), key, json::array({1})), key);
    check_refused(with(llama(), key, 0), key);
    check_refused(with(llama(), key, -1), key);
    check_refused(with(llama(), key, 1e300), key);
    check_refused(with(llama(), key, 18446744073709551615ULL), key);
  }
  for (const auto* key : {"hidden_size", "num_key_value_heads", "head_dim"}) check_refused(with(llama(), key, 8.5), key);
  for (const auto* key : {"tie_word_embeddings", "attention_bias", "mlp_bias"}) check_refused(with(llama(), key, 1), key);
  check_refused(with(llama(), "rope_theta", "big"), "rope_theta");
  check_refused(with(llama(), "rope_scaling", 3), "rope_scaling");
  check_refused(with(llama(), "architectures", "LlamaForCausalLM"), "architectures");
  check_refused(with(llama(), "architectures", json::array({3})), "architectures");
  check_refused(with(llama(), "model_type", 3), "model_type");
  check_refused(with(llama(), "eos_token_id", "</s>"), "eos_token_id");
  check_refused(with(llama(), "eos_token_id", 65), "eos_token_id");
  check_refused(with(llama(), "eos_token_id", json::array({1, -1})), "eos_token_id");
  check_refused(with(llama(), "bos_token_id", 1.5), "bos_token_id");
}

TEST_CASE("heads must divide, be even and stay narrow") {
  check_refused(with(llama(), "num_key_value_heads", 3), "num_key_value_heads");
  check_refused(with(llama(), "num_key_value_heads", 8), "num_key_value_heads");
  check_refused(with(llama(), "head_dim", 7), "head_dim");
  check_refused(with(llama(), "head_dim", 514), "head_dim");
  check_refused(without(with(llama(), "num_attention_heads", 6), "head_dim"), "num_attention_heads");
  auto wide = without(with(with(llama(), "hidden_size", 4096), "num_attention_heads", 2), "head_dim");
  check_refused(wide, "num_attention_heads");
  CHECK(parsed(without(llama(), "head_dim")).head_dim == 8);
  CHECK(parsed(without(llama(), "num_key_value_heads")).kv_heads == 4);
}

TEST_CASE("what is not served is refused by its name") {
  const auto unsupported = errc::unsupported_parameter;
  check_refused(with(llama(), "architectures", {"GPT2LMHeadModel"}), "architectures", unsupported);
  check_refused(with(without(llama(), "architectures"), "model_type", "gpt2"), "model_type", unsupported);
  check_refused(with(llama(), "model_type", "qwen2"), "model_type");
  check_refused(without(without(llama(), "architectures"), "model_type"), "architectures");
  check_refused(with(llama(), "hidden_act", "gelu"), "hidden_act", unsupported);
  check_refused(with(llama(), "quantization_config", {{"quant_method", "awq"}}), "quantization_config", unsupported);
  check_refused(with(llama(), "partial_rotary_factor", 0.5), "partial_rotary_factor", unsupported);
  check_refused(with(llama(), "rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}}), "rope_scaling", unsupported);
  check_refused(with(llama(), "rope_scaling", {{"rope_type", "llama3"}, {"factor", 4}}), "rope_scaling");
  check_refused(with(llama(), "rope_scaling", {{"type", "linear"}}), "rope_scaling");
  CHECK(parsed(with(llama(), "rope_scaling", {{"type", "default"}})).rope.kind == rope_config::scaling::none);
  CHECK(parsed(with(llama(), "rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}})).rope.theta == 5e5);
}

TEST_CASE("rope_scaling and rope_parameters may both be there if they agree") {
  const json twice{{"rope_type", "linear"}, {"factor", 2.0}}, thrice{{"rope_type", "linear"}, {"factor", 3.0}};
  const auto scaled = with(llama(), "rope_scaling", twice);
  CHECK(parsed(with(scaled, "rope_parameters", twice)).rope == parsed(scaled).rope);
  CHECK(parsed(with(llama(), "rope_parameters", twice)).rope == parsed(scaled).rope);
  CHECK(parsed(scaled).rope.factor == 2);
  check_refused(with(scaled, "rope_parameters", thrice), "rope_parameters", errc::unsupported_parameter);
  check_refused(with(scaled, "rope_parameters", {{"rope_type", "default"}}), "rope_parameters", errc::unsupported_parameter);
  check_refused(with(scaled, "rope_parameters", {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 5e5}}), "rope_parameters",
                errc::unsupported_parameter);
  CHECK(parsed(with(scaled, "rope_parameters", json::object())).rope.factor == 2);
  CHECK(parsed(with(with(llama(), "rope_scaling", json::object()), "rope_parameters", thrice)).rope.factor == 3);
}

TEST_CASE("a window smaller than the context is refused, one that hides nothing is not") {
  auto mistral = llama();
  mistral["architectures"] = {"MistralForCausalLM"};
  mistral["model_type"] = "mistral";
  CHECK(parsed(mistral).family == model_family::mistral);
  CHECK(parsed(with(mistral, "sliding_window", nullptr)).context_tokens == 512);
  CHECK(parsed(with(mistral, "sliding_window", 512)).context_tokens == 512);
  check_refused(with(mistral, "sliding_window", 511), "sliding_window", errc::unsupported_parameter);
  const auto longer = with(mistral, "max_position_embeddings", 4097);
  check_refused(longer, "sliding_window", errc::unsupported_parameter);
  CHECK(parsed(with(mistral, "max_position_embeddings", 4096)).context_tokens == 4096);
  CHECK(parsed(with(longer, "sliding_window", nullptr)).context_tokens == 4097);
  auto qwen = with(llama(), "architectures", {"Qwen3ForCausalLM"});
  qwen["model_type"] = "qwen3";
  qwen["sliding_window"] = 64;
  CHECK(parsed(qwen).qk_norm);
  CHECK(parsed(without(qwen, "head_dim")).head_dim == 128);
  check_refused(with(qwen, "use_sliding_window", true), "sliding_window", errc::unsupported_parameter);
  check_refused(with(qwen, "layer_types", {"full_attention", "sliding_attention"}), "layer_types", errc::unsupported_parameter);
  check_refused(without(qwen, "num_key_value_heads"), "num_key_value_heads");
}

TEST_CASE("text that is no JSON object is refused") {
  for (const auto& text : {std::string(""), std::string("{"), std::string("[1]"), std::string("null"), std::string(100000, '['),
                           std::string("{\"a\": \"\xff\"}")}) {
    const auto result = parse_model_config(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == errc::corrupt_data);
  }
}

TEST_CASE("generation defaults are what the file says and nothing else") {
  const auto all = parse_generation_defaults(R"({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0, "repetition_penalty": 1.05,
    "do_sample": true, "eos_token_id": [3, 4], "transformers_version": "x"})",
                                             10);
  REQUIRE(all);
  CHECK(all->temperature == std::optional<float>(0.6F));
  CHECK(all->top_k == std::optional<std::int32_t>(20));
  CHECK(all->top_p == std::optional<float>(0.95F));
  CHECK(all->min_p == std::optional<float>(0.0F));
  CHECK(all->repetition_penalty == std::optional<float>(1.05F));
  CHECK(all->do_sample == std::optional<bool>(true));
  CHECK(all->eos == std::vector<token_id>{3, 4});
  const auto none = parse_generation_defaults("{}", 10);
  REQUIRE(none);
  CHECK_FALSE(none->temperature);
  CHECK_FALSE(none->do_sample);
  CHECK(none->eos.empty());
  for (const auto* bad :
       {R"({"temperature": "hot"})", R"({"top_p": 1.5})", R"({"top_k": 2.5})", R"({"eos_token_id": 10})", R"({"do_sample": 1})"}) {
    CHECK_FALSE(parse_generation_defaults(bad, 10));
  }
}

TEST_CASE("a tensor that is missing, misshapen or of another kind fails the load by name") {
  const auto failing = [](const std::function<void(test::tiny_model&)>& change) {
    auto tiny = test::make_tiny({});
    change(tiny);
    const test::temporary_folder folder;
    test::write_tiny(tiny, folder.path);
    const auto loaded = load_model(folder.path);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::corrupt_data);
    return loaded.error().message;
  };
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  CHECK(failing([&](auto& tiny) { tiny.tensors.erase(name); }) == "tensor " + name + " is missing");
  CHECK(failing([&](auto& tiny) {
          tiny.tensors[name].shape = {32, 48};
        }) == "tensor " + name + " has shape [32, 48], config.json calls for [48, 32]");
  CHECK(failing([&](auto& tiny) { tiny.tensors.erase("lm_head.weight"); }) == "tensor lm_head.weight is missing");
  CHECK(failing([](auto& tiny) { tiny.config["attention_bias"] = true; }) == "tensor model.layers.0.self_attn.q_proj.bias is missing");
}

TEST_CASE("a model computes in what its checkpoint stores unless told otherwise") {
  const auto type_of = [](const char* dtype, std::optional<numeric_type> wanted) {
    const test::temporary_folder folder;
    test::tiny_spec spec;
    spec.dtype = dtype;
    test::write_tiny(test::make_tiny(spec), folder.path);
    const auto loaded = load_model(folder.path, wanted);
    REQUIRE(loaded);
    return (*loaded)->weights.type;
  };
  CHECK(type_of("BF16", {}) == numeric_type::bf16);
  CHECK(type_of("F32", {}) == numeric_type::f32);
  CHECK(type_of("F16", {}) == numeric_type::f32);
  CHECK(type_of("BF16", numeric_type::f32) == numeric_type::f32);
  CHECK(type_of("F16", numeric_type::bf16) == numeric_type::bf16);
}

TEST_CASE("loading refuses folders without a model") {
  const test::temporary_folder folder;
  const auto empty = load_model(folder.path);
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == errc::io_failed);
  test::write_tiny(test::make_tiny({}), folder.path);
  CHECK(load_model(folder.path, numeric_type::f32));
  test::write_file(folder.path / "generation_config.json", "{");
  CHECK_FALSE(load_model(folder.path));
}

TEST_CASE("the fingerprint changes with the config, the shapes and one weight in a sample") {
  const auto fingerprint_of = [](const test::tiny_model& tiny) {
    const test::temporary_folder folder;
    test::write_tiny(tiny, folder.path);
    const auto loaded = load_model(folder.path);
    REQUIRE(loaded);
    return (*loaded)->fingerprint;
  };
  auto tiny = test::make_tiny({});
  const auto original = fingerprint_of(tiny);
  CHECK(fingerprint_of(tiny) == original);
  tiny.tensors["model.norm.weight"].values.front() += 1;
  const auto changed = fingerprint_of(tiny);
  CHECK(changed != original);
  tiny.config["rope_theta"] = 20000;
  CHECK(fingerprint_of(tiny) != changed);
}
