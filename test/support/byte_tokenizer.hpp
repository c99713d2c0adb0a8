// The smallest tokenizer that behaves like a real one: a token per byte, and two special tokens. What a test writes as text is what its
// tokens say, so expected values can be read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/text/tokenizer.hpp"

namespace troupe::test {

class byte_tokenizer : public text::tokenizer {
 public:
  static constexpr token_id start = 256, end = 257;  ///< <|im_start|>, <|im_end|>
  static std::shared_ptr<const text::tokenizer> make() { return std::make_shared<byte_tokenizer>(); }

  [[nodiscard]] std::vector<token_id> encode(std::string_view text, encode_options options) const override {
    std::vector<token_id> tokens;
    std::size_t at = 0;
    const auto bytes_until = [&](std::size_t stop) {
      for (; at < stop; ++at) tokens.push_back(static_cast<unsigned char>(text[at]));
    };
    if (options.parse_special_tokens)
      for (const auto& special : find_specials(text)) {
        bytes_until(special.begin);
        tokens.push_back(special.token);
        at = special.end;
      }
    bytes_until(text.size());
    return tokens;
  }
  [[nodiscard]] std::string decode(const std::vector<token_id>& tokens, decode_options options) const override {
    std::string text;
    for (const auto token : tokens)
      if (!options.skip_special_tokens || !is_special(token)) text += token_bytes(token);
    return text;
  }
  [[nodiscard]] std::string token_bytes(token_id token) const override {
    if (token >= 0 && token < 256) return std::string(1, static_cast<char>(token));
    return token == start ? start_text : token == end ? end_text : "";
  }
  [[nodiscard]] bool strips_leading_space() const noexcept override { return false; }
  [[nodiscard]] std::uint32_t size() const noexcept override { return 258; }
  [[nodiscard]] bool is_special(token_id token) const noexcept override { return token == start || token == end; }
  [[nodiscard]] std::optional<token_id> find(std::string_view token) const override {
    if (token == start_text) return start;
    if (token == end_text) return end;
    if (token.size() == 1) return static_cast<unsigned char>(token.front());
    return std::nullopt;
  }
  [[nodiscard]] std::vector<special_span> find_specials(std::string_view text) const override {
    std::vector<special_span> spans;
    for (auto at = text.find("<|im_"); at != std::string_view::npos; at = text.find("<|im_", at + 1)) {
      const auto rest = text.substr(at);
      const bool starts = rest.starts_with(start_text), ends = rest.starts_with(end_text);
      if (!starts && !ends) continue;
      special_span span;
      span.begin = at;
      span.end = span.decided = at + (starts ? start_text : end_text).size();
      span.token = starts ? start : end;
      span.cut = true;
      spans.push_back(span);
    }
    return spans;
  }

 private:
  static inline const std::string start_text = "<|im_start|>", end_text = "<|im_end|>";
};

}  // namespace troupe::test
