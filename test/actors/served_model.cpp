#include "actors/served_model.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace troupe;
using actors::load_served_model;

namespace {

/// A copy of the built-in model's tokenizer, with the other files as each test writes them.
struct model_folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("troupe_served_" + std::to_string(::getpid()));
  model_folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    write("tokenizer.json", R"({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
      "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
      "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
      "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1}, "merges": []}})");
    write("config.json", R"({"max_position_embeddings": 2048, "eos_token_id": 1})");
  }
  ~model_folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream{path / name} << text; }
};

}  // namespace

TEST_CASE("generation_config overrides config, and what neither says stays unset") {
  model_folder folder;
  folder.write("generation_config.json", R"({"eos_token_id": [0, 1], "temperature": 0.7, "top_k": 20})");
  auto model = load_served_model(folder.path, {});
  REQUIRE(model);
  CHECK((*model)->id.value == folder.path.filename().string());
  CHECK((*model)->context_tokens_max == 2048);
  CHECK((*model)->defaults.eos == std::vector<token_id>{0, 1});
  CHECK((*model)->defaults.temperature == 0.7F);
  CHECK((*model)->defaults.top_k == 20);
  CHECK(std::isnan((*model)->defaults.top_p));
}

TEST_CASE("the template comes from its own file before the tokenizer's config, and tells the answer's format") {
  model_folder folder;
  folder.write(
      "tokenizer_config.json",
      R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "default", "template": "<tool_call>"}]})");
  auto model = load_served_model(folder.path, {});
  REQUIRE(model);
  CHECK((*model)->chat_template == "<tool_call>");
  CHECK((*model)->tool_format == "hermes");
  CHECK_FALSE((*model)->parse_reasoning);
  using pair = std::pair<std::string, std::string>;
  CHECK((*model)->special_texts == std::vector<pair>{{"bos_token", "<s>"}, {"eos_token", "</s>"}});

  folder.write("chat_template.jinja", "x</think> Conversation roles must alternate");
  model = load_served_model(folder.path, {});
  CHECK((*model)->tool_format.empty());
  CHECK((*model)->parse_reasoning);
  CHECK((*model)->merge_same_role);
  CHECK((*load_served_model(folder.path, {.tool_format = "hermes"}))->tool_format == "hermes");

  folder.write("chat_template.jinja", "[THINK][/THINK][TOOL_CALLS]");
  model = load_served_model(folder.path, {});
  CHECK((*model)->tool_format == "mistral");
  CHECK((*model)->parse_reasoning);
  CHECK((*model)->reasoning == text::reasoning_format::think_brackets);
  CHECK((*load_served_model(folder.path, {.tool_format = "qwen3_coder"}))->tool_format == "qwen3_coder");
  CHECK((*load_served_model(folder.path, {.tool_format = "none"}))->tool_format.empty());
}

TEST_CASE("a folder that lacks what it needs is refused by name") {
  model_folder folder;
  folder.write("config.json", "[1]");
  CHECK(load_served_model(folder.path, {}).error().code == errc::corrupt_data);
  folder.write("config.json", "{}");
  CHECK(load_served_model(folder.path, {}).error().message == (folder.path / "config.json").string() + " lacks max_position_embeddings");
  CHECK(load_served_model(folder.path, {.context_tokens_max = 10}));
  std::filesystem::remove(folder.path / "tokenizer.json");
  CHECK(load_served_model(folder.path, {}).error().code == errc::io_failed);
}
