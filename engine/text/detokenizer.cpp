#include "engine/text/detokenizer.hpp"

#include <algorithm>
#include <utility>

namespace troupe::text {
namespace {
constexpr std::string_view replacement = "\xEF\xBF\xBD";
}

void utf8_stream::push(std::string_view bytes, std::string& text) {
  for (const char byte : bytes) push(static_cast<unsigned char>(byte), text);
}

void utf8_stream::push(unsigned char byte, std::string& text) {
  if (missing_ == 0) return start(byte, text);
  if (byte < low_ || byte > high_) {
    // The valid beginning is one replacement; this byte may begin anew.
    finish(text);
    return start(byte, text);
  }
  pending_ += static_cast<char>(byte);
  low_ = 0x80;
  high_ = 0xBF;
  if (--missing_ > 0) return;
  text += pending_;
  pending_.clear();
}

void utf8_stream::start(unsigned char byte, std::string& text) {
  low_ = 0x80;
  high_ = 0xBF;
  if (byte < 0x80) {
    text += static_cast<char>(byte);
    return;
  }
  if (byte < 0xC2 || byte > 0xF4) {
    text += replacement;
    return;
  }
  // Unicode, table 3-7: the second byte's range depends on the first.
  if (byte == 0xE0) low_ = 0xA0;
  if (byte == 0xED) high_ = 0x9F;
  if (byte == 0xF0) low_ = 0x90;
  if (byte == 0xF4) high_ = 0x8F;
  missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  pending_ += static_cast<char>(byte);
}

void utf8_stream::finish(std::string& text) {
  if (missing_ > 0) text += replacement;
  missing_ = 0;
  pending_.clear();
}

detokenizer::detokenizer(std::shared_ptr<const tokenizer> tokens, const detokenizer_options& options)
    : tokenizer_(std::move(tokens)),
      skip_special_tokens_(options.skip_special_tokens),
      strip_space_(tokenizer_->strips_leading_space() && !options.keep_leading_space) {
  for (const auto& marker : options.keep) {
    if (const auto token = tokenizer_->find(marker)) kept_.push_back(*token);
  }
}

void detokenizer::push(token_id token, std::string& text) {
  if (skip_special_tokens_ && tokenizer_->is_special(token) && std::ranges::find(kept_, token) == kept_.end()) return;
  const std::string bytes = tokenizer_->token_bytes(token);
  if (bytes.empty()) return;
  const bool strip = std::exchange(strip_space_, false) && bytes.front() == ' ';
  stream_.push(std::string_view(bytes).substr(strip ? 1 : 0), text);
}

void detokenizer::finish(std::string& text) { stream_.finish(text); }

}  // namespace troupe::text
