// Files that are damaged, contradict themselves or ask for what is not offered.
#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "test/text/tokenizer_files.hpp"

using namespace troupe;
using namespace troupe::text;
using nlohmann::json;

namespace {

const json small = json::parse(R"({
  "added_tokens": [{"id": 6, "content": "<s>", "special": true, "normalized": false}, {"id": 7, "content": "<x>", "special": false}],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
  "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "_?\\p{L}+|."}, "behavior": "Isolated", "invert": false},
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                            {"Sequence": {"id": "A", "type_id": 0}}],
                     "special_tokens": {"<s>": {"id": "<s>", "ids": [6], "tokens": ["<s>"]}}},
  "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "_"}, "content": " "}, {"type": "Fuse"}]},
  "model": {"type": "BPE", "dropout": null, "unk_token": "?", "fuse_unk": true, "byte_fallback": false,
            "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3, "_": 4, "_ab": 5}, "merges": ["a b", ["_", "ab"]]}
})");

failure refusal(const std::function<void(json&)>& change) {
  auto changed = small;
  change(changed);
  const auto loaded = test::load_content(changed.dump());
  REQUIRE_FALSE(loaded);
  return loaded.error();
}

void check_refused(errc code, const std::string& path, const std::function<void(json&)>& change) {
  const auto error = refusal(change);
  CHECK(error.code == code);
  CHECK(error.param == path);
  CHECK(error.message.find(path) != std::string::npos);
}

}  // namespace

TEST_CASE("a small file reads as it is written") {
  const auto loaded = test::load_content(small.dump());
  REQUIRE(loaded);
  const auto& tokens = **loaded;
  using ids = std::vector<token_id>;
  CHECK(tokens.size() == 8);
  CHECK(tokens.encode("ab ab<x>ba!?", {true, true}) == ids{6, 3, 5, 7, 2, 1, 0, 0});
  CHECK(tokens.encode("<s>", {false, true}) == ids{6});
  CHECK(tokens.encode("<s>", {false, false}) == ids{0, 0, 0});
  CHECK(tokens.decode({6, 3, 5, 7, 99, -1}, {true}) == "ab ab<x>");
  CHECK(tokens.decode({6, 3}, {false}) == "<s>ab");
  CHECK(tokens.token_bytes(5) == " ab");
  CHECK(tokens.token_bytes(99).empty());
  CHECK(tokens.find("_ab") == 5);
  CHECK(tokens.find("<s>") == 6);
  CHECK_FALSE(tokens.find("nothing"));
  CHECK(tokens.is_special(6));
  CHECK_FALSE(tokens.is_special(7));
  CHECK_FALSE(tokens.is_special(-1));
  CHECK(tokens.frame().before == ids{6});
  CHECK(tokens.frame().after.empty());
}

TEST_CASE("a file that is no tokenizer is refused") {
  CHECK(tokenizer::load("/nowhere/tokenizer.json").error().code == errc::io_failed);
  CHECK(tokenizer::load("/").error().code == errc::io_failed);
  CHECK(test::load_content("").error().code == errc::io_failed);
  CHECK(test::load_content("{\"model\": ").error().code == errc::corrupt_data);
  CHECK(test::load_content("[]").error().code == errc::corrupt_data);
  CHECK(test::load_content("{}").error().param == "$.model");
  CHECK(test::load_content("{\"model\": \"\xFF\"}").error().code == errc::corrupt_data);
  CHECK(test::load_content(std::string(100'000, '[')).error().code == errc::corrupt_data);
}

TEST_CASE("a file that is nested too deeply is refused, one that is nested a little is read") {
  const auto nested = [](int depth) {
    auto file = small;
    for (int i = 0; i < depth; ++i) {
      const auto inner = file["pre_tokenizer"];
      file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array({inner})}};
    }
    return test::load_content(file.dump());
  };
  CHECK(nested(10));
  const auto deep = nested(100);
  REQUIRE_FALSE(deep);
  CHECK(deep.error().code == errc::corrupt_data);
  CHECK(deep.error().message.find("nested too deeply") != std::string::npos);
}

TEST_CASE("a contradiction is refused with its path") {
  const auto corrupt = errc::corrupt_data;
  check_refused(corrupt, "$.model.vocab", [](json& f) { f["model"].erase("vocab"); });
  check_refused(corrupt, "$.model.merges", [](json& f) { f["model"]["type"] = "BPE", f["model"].erase("merges"); });
  check_refused(corrupt, "$.model.vocab", [](json& f) { f["model"]["vocab"] = 3; });
  check_refused(corrupt, "$.model.vocab.ab", [](json& f) { f["model"]["vocab"]["ab"] = "3"; });
  check_refused(corrupt, "$.model.vocab.ab", [](json& f) { f["model"]["vocab"]["ab"] = -3; });
  check_refused(corrupt, "$.model.vocab.ab", [](json& f) { f["model"]["vocab"]["ab"] = 4'000'000'000u; });
  check_refused(corrupt, "$.model.vocab", [](json& f) { f["model"]["vocab"]["ab"] = 2; });
  check_refused(corrupt, "$.model.merges[0]", [](json& f) { f["model"]["merges"][0] = "a c"; });
  check_refused(corrupt, "$.model.merges[0]", [](json& f) { f["model"]["merges"][0] = "b a"; });
  check_refused(corrupt, "$.model.merges[1]", [](json& f) { f["model"]["merges"][1] = json::array({"a"}); });
  check_refused(corrupt, "$.model.merges[0]", [](json& f) { f["model"]["merges"][0] = "ab"; });
  check_refused(corrupt, "$.model.merges[0]", [](json& f) { f["model"]["merges"][0] = 5; });
  check_refused(corrupt, "$.model.unk_token", [](json& f) { f["model"]["unk_token"] = "<unk>"; });
  check_refused(corrupt, "$.added_tokens[1]", [](json& f) { f["added_tokens"][1]["id"] = 6; });
  check_refused(corrupt, "$.added_tokens[1]", [](json& f) { f["added_tokens"][1]["content"] = "<s>"; });
  check_refused(corrupt, "$.added_tokens[1]", [](json& f) { f["added_tokens"][1]["content"] = ""; });
  check_refused(corrupt, "$.added_tokens[1]", [](json& f) { f["added_tokens"][1]["content"] = "ab"; });
  check_refused(corrupt, "$.added_tokens[1]", [](json& f) { f["added_tokens"][1]["id"] = 3; });
  check_refused(corrupt, "$.added_tokens[0].id", [](json& f) { f["added_tokens"][0]["id"] = 1u << 30; });
  check_refused(corrupt, "$.added_tokens[0].special", [](json& f) { f["added_tokens"][0]["special"] = 1; });
  check_refused(corrupt, "$.post_processor.special_tokens.<s>.ids[0]",
                [](json& f) { f["post_processor"]["special_tokens"]["<s>"]["ids"][0] = 77; });
  check_refused(corrupt, "$.pre_tokenizer.pattern.Regex", [](json& f) { f["pre_tokenizer"]["pattern"] = json::object(); });
}

TEST_CASE("what is not offered is refused by name") {
  const auto unsupported = errc::unsupported_parameter;
  check_refused(unsupported, "$.model", [](json& f) { f["model"]["type"] = "Unigram"; });
  check_refused(unsupported, "$.model.dropout", [](json& f) { f["model"]["dropout"] = 0.1; });
  check_refused(unsupported, "$.model.end_of_word_suffix", [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; });
  check_refused(unsupported, "$.model.continuing_subword_prefix", [](json& f) { f["model"]["continuing_subword_prefix"] = "##"; });
  check_refused(unsupported, "$.normalizer", [](json& f) { f["normalizer"] = {{"type", "Precompiled"}}; });
  check_refused(unsupported, "$.normalizer.normalizers[0]", [](json& f) { f["normalizer"]["normalizers"][0]["type"] = "BertNormalizer"; });
  check_refused(unsupported, "$.pre_tokenizer", [](json& f) { f["pre_tokenizer"] = {{"type", "UnicodeScripts"}}; });
  check_refused(unsupported, "$.pre_tokenizer.behavior", [](json& f) { f["pre_tokenizer"]["behavior"] = "Sideways"; });
  check_refused(unsupported, "$.post_processor", [](json& f) { f["post_processor"] = {{"type", "BertProcessing"}}; });
  check_refused(unsupported, "$.decoder.decoders[1]", [](json& f) { f["decoder"]["decoders"][1]["type"] = "CTC"; });
  const auto error = refusal([](json& f) { f["model"]["type"] = "WordPiece"; });
  CHECK(error.message == "tokenizer.json, $.model: the model WordPiece is not supported.");
}

TEST_CASE("a regex that reads differently elsewhere is refused by its construct") {
  for (const std::string regex : {"\\bx", "\\h+", "x{1,3}+", "(?m:.)", "(?s)x", "[[:alpha:]]", "(unclosed", "x\\Ky"}) {
    CAPTURE(regex);
    check_refused(errc::unsupported_parameter, "$.pre_tokenizer.pattern.Regex",
                  [&](json& f) { f["pre_tokenizer"]["pattern"]["Regex"] = regex; });
  }
  for (const std::string regex : {"(?i:'s|'t)|\\p{L}+", "[{|}+]\\p{N}{1,3}", "\\s+(?!\\S)|\\x{20}+", "(?<!a)b|(?>c)"}) {
    CAPTURE(regex);
    auto file = small;
    file["pre_tokenizer"]["pattern"]["Regex"] = regex;
    CHECK(test::load_content(file.dump()));
  }
}

TEST_CASE("a damaged file never crashes: it loads and encodes, or is refused") {
  const auto whole = small.dump();
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 draw(seed);
    auto damaged = whole;
    for (auto i = 1 + draw() % 4; i > 0; --i) {
      const auto at = draw() % damaged.size();
      const auto other = draw() % damaged.size();
      switch (draw() % 4) {
        case 0:
          damaged[at] = static_cast<char>(draw() % 128);
          break;
        case 1:
          damaged.erase(at, draw() % 12);
          break;
        case 2:
          damaged.insert(at, damaged.substr(other, draw() % 24));
          break;
        default:
          std::swap(damaged[at], damaged[other]);
          break;
      }
      if (damaged.empty()) damaged.assign(1, '{');
    }
    const auto loaded = test::load_content(damaged);
    if (loaded) {
      const auto tokens = (*loaded)->encode("ab a<s> ba\xFF<x>\n?", {true, true});
      for (const auto token : tokens) CHECK(static_cast<std::uint32_t>(token) < (*loaded)->size());
      (*loaded)->decode(tokens, {true});
    } else {
      const auto code = loaded.error().code;
      CHECK((code == errc::corrupt_data || code == errc::unsupported_parameter));
      CHECK_FALSE(loaded.error().message.empty());
    }
  }
}
