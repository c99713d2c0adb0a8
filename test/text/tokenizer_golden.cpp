// What the `tokenizers` package made of difficult texts, for a tokenizer of every kind; written by scripts/golden/tokenizers.py.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/text/tokenizer.hpp"

using namespace troupe;
using namespace troupe::text;

namespace {

std::filesystem::path data_folder() {
  const char* source = std::getenv("TROUPE_SOURCE");
  return std::filesystem::path(source ? source : ".") / "test/text/data/tokenizers";
}

std::shared_ptr<const tokenizer> load(const std::string& kind) {
  auto loaded = tokenizer::load(data_folder() / (kind + ".json"));
  if (!loaded) FAIL(loaded.error().message);
  return *loaded;
}

/// Calls `check` with each golden row; `check` answers how many there were of its own.
template <class Check>
void each_row(const std::string& kind, Check check) {
  std::ifstream file(data_folder() / (kind + ".golden.jsonl"));
  std::size_t rows = 0;
  for (std::string line; std::getline(file, line); ++rows) check(nlohmann::json::parse(line));
  CHECK(rows > 300);
}

using ids = std::vector<token_id>;
const char* const kinds[] = {"gpt2", "llama3", "qwen2", "deepseek", "llama2", "metaspace", "falcon"};

}  // namespace

TEST_CASE("every text becomes the tokens that the reference gives") {
  for (const std::string kind : kinds) {
    CAPTURE(kind);
    const auto tokens = load(kind);
    each_row(kind, [&](const nlohmann::json& row) {
      if (!row.contains("text")) return;
      const auto text = row["text"].get<std::string>();
      CAPTURE(row["text"].dump());
      const auto expected_ids = row["ids"].get<ids>();
      CHECK(tokens->encode(text, {false, true}) == expected_ids);
      CHECK(tokens->encode(text, {true, true}) == (row.contains("framed") ? row["framed"].get<ids>() : expected_ids));
      CHECK(tokens->encode(text, {false, false}) == (row.contains("plain") ? row["plain"].get<ids>() : expected_ids));
    });
  }
}

TEST_CASE("every token sequence becomes the text that the reference gives") {
  for (const std::string kind : kinds) {
    CAPTURE(kind);
    const auto tokens = load(kind);
    each_row(kind, [&](const nlohmann::json& row) {
      const auto sequence = (row.contains("framed") ? row["framed"] : row["ids"]).get<ids>();
      CAPTURE(row["ids"].dump());
      CHECK(tokens->decode(sequence, {true}) == row["decoded"].get<std::string>());
      CHECK(tokens->decode(sequence, {false}) == row["decoded_all"].get<std::string>());
    });
  }
}

TEST_CASE("the bytes of the tokens, joined, are the decoded text but for a leading space") {
  for (const std::string kind : {"gpt2", "llama3", "qwen2", "deepseek", "llama2"}) {
    CAPTURE(kind);
    const auto tokens = load(kind);
    CHECK(tokens->strips_leading_space() == (kind == "llama2"));
    each_row(kind, [&](const nlohmann::json& row) {
      if (!row.contains("text")) return;
      const auto sequence = row["ids"].get<ids>();
      std::string joined;
      for (const auto token : sequence) joined += tokens->token_bytes(token);
      if (tokens->strips_leading_space() && joined.starts_with(' ')) joined.erase(0, 1);
      CAPTURE(row["text"].dump());
      CHECK(joined == tokens->decode(sequence, {false}));
    });
  }
}

TEST_CASE("the tokenizer of stories260K reads a story") {
  const char* shared = std::getenv("TROUPE_SHARED");
  const auto folder = std::filesystem::path(shared ? shared : "") / "models/stories260K";
  if (!shared || !std::filesystem::exists(folder / "tokenizer.json")) return;
  const auto loaded = tokenizer::load(folder / "tokenizer.json");
  REQUIRE(loaded);
  const auto& tokens = **loaded;
  CHECK(tokens.size() == 512);
  CHECK(tokens.encode("Once upon a time", {true, true}) == ids{1, 403, 407, 261, 378});
  CHECK(tokens.encode("\xC3\xA9", {false, true}) == ids{410, 485});
  CHECK(tokens.decode({1, 403, 407, 261, 378}, {true}) == "Once upon a time");
  CHECK(tokens.is_special(1));
  CHECK_FALSE(tokens.is_special(403));
  CHECK(tokens.token_bytes(403) == " Once");
  CHECK(tokens.strips_leading_space());
}
