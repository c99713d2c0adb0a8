// The prompts of one session as tokens. The encoder of its main conversation is kept from turn to turn, so that a turn that repeats
// 100k tokens of history tokenises only what is new, and answers are repeated as they were generated; a side call must not disturb it and uses
// one of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/served_model.hpp"
#include "engine/text/answer_splice.hpp"
#include "engine/text/prompt_roles.hpp"
#include "messages/turn.hpp"

namespace troupe::actors {

/// The variables of the model's chat template, as JSON. Fails as text::to_template_input does, and for a model without a template.
expected<std::string> template_input(const turn_request& request, const served_model& model);
/// The hasher of the blocks of such a prompt: model, tenant and salt separate what may be shared.
core::block_hasher hasher_of(const served_model& model, const std::string& tenant, const std::string& cache_salt);
/// Whether the answer to `rendered` begins in reasoning: its template opened the tag.
bool ends_in_reasoning(const std::string& rendered);

class session_prompts {
 public:
  struct scope {
    std::shared_ptr<const served_model> model;
    std::string tenant, cache_salt;
    bool keep = true;  ///< false: a side call
  };

  /// What a template made of the prompt's messages, with the roles of its tokens.
  text::encoded_prompt encode_chat(const scope& of, const turn_prompt& prompt, std::string rendered);
  /// A rendering that the main conversation may go on with. Nothing is kept of it.
  [[nodiscard]] text::encoded_prompt encode_ahead(const scope& of, std::string rendered) const;
  /// A text or token prompt as it is. Fails with invalid_request for a token that the model does not have.
  expected<text::encoded_prompt> encode_plain(const scope& of, const turn_prompt& prompt);
  /// The answer to the last main chat, whole and ended by one of `ends`.
  void remember_answer(std::vector<token_id> answer, std::vector<token_id> ends, text::answer_options options) {
    if (splice_) splice_->remember(std::move(answer), std::move(ends), std::move(options));
  }
  void forget() {
    encoder_.reset();
    splice_.reset();
    roles_.forget();
    departure_ = {};
    plain_.reset();
  }
  /// The last prompt of the main conversation, with the seed of its chain. Null: none is remembered.
  struct remembered {
    const text::encoded_prompt* prompt = nullptr;
    std::uint64_t scope_seed = 0;
    std::uint32_t block_tokens = 0;
  };
  [[nodiscard]] remembered last() const;
  /// Where the last main chat left the one before: whose the first other byte was, and whose it is. Nothing: what was said before is there,
  /// or nothing is known of it.
  struct departure {
    std::optional<core::block_role> before, after;
  };
  [[nodiscard]] departure last_departure() const noexcept { return departure_; }
  /// Of the last main chat: the tokens up to the end of a piece. 0: the template has left it out.
  [[nodiscard]] std::uint32_t token_end(std::size_t message, std::size_t block) const { return roles_.token_end(message, block); }

 private:
  void take_scope(const scope& of);
  text::encoded_prompt encode(const scope& of, std::string text, text::tokenizer::encode_options options,
                              std::span<const text::forced_tokens> forced = {});

  struct kept_scope {
    std::shared_ptr<const served_model> model;
    std::string tenant, cache_salt;
    bool operator==(const kept_scope&) const = default;
  };
  kept_scope kept_;
  std::optional<text::prompt_encoder> encoder_;
  std::optional<text::answer_splice> splice_;  ///< there with the encoder
  departure departure_;
  text::prompt_roles roles_;                   ///< of what the encoder made last
  std::optional<text::encoded_prompt> plain_;  ///< the last prompt when it came as tokens
};

}  // namespace troupe::actors
