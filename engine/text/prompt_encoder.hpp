// A session's prompt as text, tokens and block identities, kept from turn to turn: only what follows the last special token
// before the first difference is tokenised and hashed again. Equal to tokenising the whole (property-tested).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::text {

struct encoded_prompt {
  std::vector<token_id> tokens;
  std::vector<core::block_identity> chain;  ///< of all full blocks
  std::size_t tokens_kept = 0;              ///< taken over from the last prompt
};

class prompt_encoder {
 public:
  prompt_encoder(std::shared_ptr<const tokenizer> tokens, core::block_hasher hasher);
  /// Encodes a rendered template. The returned reference lives until the next call.
  const encoded_prompt& encode(std::string rendered, tokenizer::encode_options options);
  [[nodiscard]] const encoded_prompt& last() const noexcept { return prompt_; }

 private:
  std::shared_ptr<const tokenizer> tokenizer_;
  core::block_hasher hasher_;
  std::string text_;
  /// Where a special token begins: byte offset in `text_`, index in `prompt_.tokens`.
  struct cut { std::size_t byte = 0, token = 0; };
  std::vector<cut> cuts_;
  tokenizer::encode_options options_;
  encoded_prompt prompt_;
};

}  // namespace troupe::text
