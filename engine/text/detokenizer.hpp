// Tokens to text, one at a time, never ending inside a code point. Bytes that are not UTF-8 become U+FFFD, grouped as Python's
// errors="replace" groups them, so that the joined text equals decoding the whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.hpp"

namespace troupe::text {

/// Bytes in any portions to whole code points.
class utf8_stream {
 public:
  void push(std::string_view bytes, std::string& text);
  void finish(std::string& text);  ///< an unfinished code point becomes U+FFFD

 private:
  void push(unsigned char byte, std::string& text);
  void start(unsigned char byte, std::string& text);

  std::string pending_;                     ///< the valid beginning of a code point
  std::size_t missing_ = 0;                 ///< bytes that complete it
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< range of the next byte: it excludes overlong forms and surrogates
};

struct detokenizer_options {
  bool skip_special_tokens = true;
  std::vector<std::string> keep{};  ///< special tokens that are text all the same: markers that a later stage reads
  bool keep_leading_space = false;  ///< the answer continues a text: its first space is part of it
};

class detokenizer {
 public:
  detokenizer(std::shared_ptr<const tokenizer> tokens, const detokenizer_options& options);
  /// Appends the text that became complete.
  void push(token_id token, std::string& text);
  void finish(std::string& text);

 private:
  std::shared_ptr<const tokenizer> tokenizer_;
  std::vector<token_id> kept_;
  bool skip_special_tokens_;
  bool strip_space_;  ///< the next byte, if it is a space, is not part of the text
  utf8_stream stream_;
};

}  // namespace troupe::text
