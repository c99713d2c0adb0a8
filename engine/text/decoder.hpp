// Tokens back to text: the `decoder` of a tokenizer.json, a chain of steps over the tokens' texts. Bytes that are no UTF-8 become
// U+FFFD as in `tokenizers`, except those at the very end that may still grow into a code point.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/text/normalizer.hpp"
#include "engine/text/token_json.hpp"

namespace troupe::text {

class decoder {
 public:
  /// Without a decoder, texts are joined with spaces.
  decoder() = default;
  /// Fails with load_error.
  explicit decoder(const json_node& node) : joins_with_space_(false) { add(node); }

  [[nodiscard]] std::string decode(std::vector<std::string> tokens) const;
  /// What one token adds in the middle of a sequence.
  [[nodiscard]] std::string inner_bytes(std::string token) const;
  /// Whether the first token of a sequence loses a leading space.
  [[nodiscard]] bool strips_leading_space() const noexcept;

 private:
  struct byte_level {};
  struct byte_fallback {};
  struct fuse {};
  struct strip {
    std::string content;
    std::uint32_t start, stop;
    bool whole;  ///< behind Fuse: sees the sequence, not each token
  };
  struct metaspace {
    std::string replacement;
    bool drops_first;
  };
  using texts = std::vector<std::string>;
  using step = std::variant<byte_level, replacer, byte_fallback, fuse, strip, metaspace>;

  void add(const json_node& node);
  static void run(const byte_level& step, texts& tokens);
  static void run(const replacer& step, texts& tokens);
  static void run(const byte_fallback& step, texts& tokens);
  static void run(const fuse& step, texts& tokens);
  static void run(const strip& step, texts& tokens);
  static void run(const metaspace& step, texts& tokens);
  static void run_inner(const step& step, std::string& token);

  std::vector<step> steps_;
  bool joins_with_space_ = true;
};

}  // namespace troupe::text
