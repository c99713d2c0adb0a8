// A session's prompt as text, tokens and block identities, kept from turn to turn: only what follows the last special token
// before the first difference is tokenised and hashed again. Equal to tokenising the whole (property-tested).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/block_role.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::text {

struct encoded_prompt {
  std::vector<token_id> tokens;
  std::vector<core::block_identity> chain;  ///< of all full blocks
  std::vector<core::role_range> roles;      ///< of the tokens, where somebody knows them
  std::size_t tokens_kept = 0;              ///< taken over from the last prompt
  std::size_t bytes_kept = 0;               ///< what they spell
  std::size_t bytes_equal = 0;              ///< of the text, the same as in the last one
};

/// These bytes of a text are these tokens, whatever a tokenizer would make of them.
struct forced_tokens {
  std::size_t byte_begin = 0, byte_end = 0;
  std::vector<token_id> tokens;
};

class prompt_encoder {
 public:
  prompt_encoder(std::shared_ptr<const tokenizer> tokens, core::block_hasher hasher);
  /// Encodes a rendered template. `forced` are in order; once they have been given for a text, what goes on with that text is given them
  /// too. The returned reference lives until the next call.
  const encoded_prompt& encode(std::string rendered, tokenizer::encode_options options, std::span<const forced_tokens> forced = {});
  [[nodiscard]] const encoded_prompt& last() const noexcept { return prompt_; }

 private:
  /// Where a special token begins: byte offset in `text_`, index in `prompt_.tokens`; holds while the text is equal up to `decided`.
  struct cut {
    std::size_t byte = 0, token = 0, decided = 0;
  };
  void forget();
  std::size_t keep(std::size_t equal);
  void append(std::size_t from, std::span<const forced_tokens> forced);

  std::shared_ptr<const tokenizer> tokenizer_;
  core::block_hasher hasher_;
  tokenizer::special_frame frame_;
  std::string text_;
  std::vector<cut> cuts_;
  tokenizer::encode_options options_;
  encoded_prompt prompt_;
  bool encoded_ = false;
};

}  // namespace troupe::text
