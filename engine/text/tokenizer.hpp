// Text to tokens and back, from a Hugging Face tokenizer.json: byte-level BPE (GPT-2, Llama 3, Qwen) and SentencePiece-style BPE
// with byte fallback (Llama 2, Mistral). Immutable after loading; safe to share between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"

namespace troupe::text {

class tokenizer {
 public:
  /// Reads tokenizer.json. Failures: io_failed, corrupt_data (names the JSON path), unsupported_parameter (names the component).
  static expected<std::shared_ptr<const tokenizer>> load(const std::filesystem::path& file);
  virtual ~tokenizer() = default;

  struct encode_options {
    bool add_special_tokens = false;   ///< run the post-processor (BOS and the like)
    bool parse_special_tokens = true;  ///< text that spells a special token becomes that token
  };
  /// Invalid UTF-8 is replaced by U+FFFD first.
  [[nodiscard]] virtual std::vector<token_id> encode(std::string_view text, encode_options options) const = 0;
  /// The bytes of a whole sequence, as `tokenizers` decodes it. May end inside a code point.
  struct decode_options {
    bool skip_special_tokens = true;
  };
  [[nodiscard]] virtual std::string decode(const std::vector<token_id>& tokens, decode_options options) const = 0;
  /// The bytes that one token contributes in the middle of a sequence; empty for an unknown id.
  [[nodiscard]] virtual std::string token_bytes(token_id token) const = 0;
  /// How many they are.
  [[nodiscard]] virtual std::size_t token_size(token_id token) const { return token_bytes(token).size(); }
  /// Whether `decode` strips one leading space from a sequence (SentencePiece style).
  [[nodiscard]] virtual bool strips_leading_space() const noexcept = 0;

  [[nodiscard]] virtual std::uint32_t size() const noexcept = 0;  ///< largest id + 1
  [[nodiscard]] virtual bool is_special(token_id token) const noexcept = 0;
  [[nodiscard]] virtual std::optional<token_id> find(std::string_view token) const = 0;  ///< by its exact text in the vocabulary
  /// Special added tokens, by position in text: [begin, end) byte offsets of each occurrence that `encode` would recognise in the
  /// raw text, with the white space that the token takes.
  struct special_span {
    std::size_t begin = 0, end = 0;
    token_id token = 0;
    bool cut = false;         ///< the text before `begin` and from `begin` on encode to the same as both together
    std::size_t decided = 0;  ///< text that is equal up to here has the same specials up to and with this one
  };
  [[nodiscard]] virtual std::vector<special_span> find_specials(std::string_view text) const = 0;
  /// What `add_special_tokens` puts around a sequence.
  struct special_frame {
    std::vector<token_id> before, after;
  };
  [[nodiscard]] virtual special_frame frame() const { return {}; }
};

}  // namespace troupe::text
