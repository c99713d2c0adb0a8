// Text through tokenizers that are whole. Byte 0: which one; byte 1: where it is cut; then the text. What holds: the word pattern by hand
// and on the regex engine cut alike, a byte-level model gives back what it was given, tokens are of its vocabulary, special tokens lie
// where they say, and a text may be cut where `find_specials` says so.
#include <unicode/unistr.h>

#include <array>
#include <nlohmann/json.hpp>

#include "engine/text/token_regex.hpp"
#include "engine/text/tokenizer.hpp"
#include "test/fuzz/fuzz_input.hpp"

namespace {

using namespace troupe;
using fuzz::demand;

const std::string head = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
const std::string tail = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct model {
  std::string_view name;
  bool gives_back;  ///< what it was given
};
constexpr std::array<model, 7> models{{{"gpt2", true}, {"llama3", true}, {"qwen2", false}, {"deepseek", true}, {"llama2", false}, {"metaspace", false}, {"falcon", false}}};

const text::tokenizer& loaded(std::size_t index) {
  static std::array<std::shared_ptr<const text::tokenizer>, models.size()> all;
  if (!all[index]) {
    const char* source = std::getenv("TROUPE_SOURCE");
    const auto file = std::filesystem::path(source ? source : ".") / "test/text/data/tokenizers" / (std::string(models[index].name) + ".json");
    auto made = text::tokenizer::load(file);
    demand(static_cast<bool>(made), "a committed tokenizer loads", file.string());
    all[index] = *made;
  }
  return *all[index];
}

text::token_regex compile(const std::string& pattern) {
  static const nlohmann::json none;
  return {pattern, text::json_node(none, "$")};
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  icu::UnicodeString::fromUTF8({bytes.data(), static_cast<std::int32_t>(bytes.size())}).toUTF8String(out);
  return out;
}

void check_words(const std::string& digits, const std::string& text, std::size_t cut) {
  const auto pattern = head + digits + tail;
  static const auto one = std::pair(compile(head + R"(\p{N})" + tail), compile("(?:" + head + R"(\p{N})" + tail + ")"));
  static const auto three = std::pair(compile(head + R"(\p{N}{1,3})" + tail), compile("(?:" + head + R"(\p{N}{1,3})" + tail + ")"));
  const auto& [by_hand, by_engine] = digits == R"(\p{N})" ? one : three;
  demand(by_hand.by_hand() && !by_engine.by_hand(), "one of the two is read by hand");
  std::vector<text::text_span> hand, engine;
  text::regex_scan first(by_hand, text), second(by_engine, text);
  for (const auto piece : {text::text_span{0, cut}, text::text_span{cut, text.size()}}) {
    if (piece.begin == piece.end) continue;
    first.find(piece, hand);
    second.find(piece, engine);
  }
  demand(hand == engine, "by hand and by the engine words are the same", pattern);
}

void check_tokens(const text::tokenizer& tokenizer, const std::string& text, bool gives_back) {
  const auto tokens = tokenizer.encode(text, {.add_special_tokens = false, .parse_special_tokens = true});
  demand(tokens.size() <= 4 * text.size() + 4, "tokens are bounded by bytes");
  std::string bytes;
  for (const auto token : tokens) {
    demand(token >= 0 && static_cast<std::uint32_t>(token) < tokenizer.size(), "a token is of the vocabulary");
    const auto of_token = tokenizer.token_bytes(token);
    demand(of_token.size() == tokenizer.token_size(token), "a token is as long as it says");
    bytes += of_token;
  }
  if (!gives_back) return;
  demand(tokenizer.decode(tokens, {.skip_special_tokens = false}) == text, "what was encoded is decoded", text);
  demand(bytes == text, "tokens are the bytes of the text", bytes);
}

void check_specials(const text::tokenizer& tokenizer, const std::string& text) {
  std::size_t end = 0;
  const auto whole = tokenizer.encode(text, {});
  for (const auto& span : tokenizer.find_specials(text)) {
    demand(end <= span.begin && span.begin < span.end && span.end <= text.size(), "special tokens lie in order");
    demand(tokenizer.is_special(span.token), "a special token is special");
    end = span.end;
    if (!span.cut) continue;
    auto halves = tokenizer.encode(text.substr(0, span.begin), {});
    const auto behind = tokenizer.encode(text.substr(span.begin), {});
    halves.insert(halves.end(), behind.begin(), behind.end());
    demand(halves == whole, "a text may be cut before a special token", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input_reader input(data, size);
  const auto which = input.byte() % models.size();
  const std::size_t wanted = input.byte();
  const auto text = valid_utf8(input.rest());
  auto cut = std::min(wanted, text.size());
  while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) ++cut;
  check_words(R"(\p{N})", text, cut);
  check_words(R"(\p{N}{1,3})", text, cut);
  const auto& tokenizer = loaded(which);
  check_tokens(tokenizer, text, models[which].gives_back);
  check_specials(tokenizer, text);
  static_cast<void>(tokenizer.encode(input.rest(), {}));  // as the bytes came
  return 0;
}
