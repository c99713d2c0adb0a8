// Puts the answers that were generated back into the prompts that repeat them. A template writes a tool call its own way and a tokenizer
// cuts text its own way; what a model has generated may differ in both, and then the cache of everything behind it would be lost. Where a
// rendering says the same as the answer, the answer's own text and tokens take its place, in every prompt to come.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"
#include "engine/text/prompt_encoder.hpp"

namespace troupe::text {

class answer_splice {
 public:
  explicit answer_splice(std::shared_ptr<const tokenizer> tokens) : tokenizer_(std::move(tokens)) {}

  /// The answer to the prompt that `apply` made last. `ends`: the tokens one of which ended it, in `answer` or not. The options' tools are copied.
  void remember(std::vector<token_id> answer, std::vector<token_id> ends, answer_options options);
  /// The text of the next prompt, with answers in place of their renderings.
  std::string apply(std::string rendered);
  /// Where they lie in what `apply` has returned, in order.
  [[nodiscard]] const std::vector<forced_tokens>& forced() const noexcept { return forced_; }
  [[nodiscard]] std::size_t answers() const noexcept { return known_.size(); }

 private:
  struct answer {
    std::size_t begin = 0, end = 0;  ///< of its rendering, in the rendered text
    std::size_t decided = 0;         ///< text that is equal up to here, behind its end token, has the same answer
    std::string text;                ///< as generated
    std::vector<token_id> tokens;
  };
  struct pending_answer {
    std::vector<token_id> tokens, ends;
    answer_options options;
    std::vector<core::chat_tool> tools;  ///< of the options
  };

  void place(const std::string& rendered, std::size_t begin);
  [[nodiscard]] std::string spell(const std::vector<token_id>& tokens) const;

  std::shared_ptr<const tokenizer> tokenizer_;
  std::string rendered_;  ///< the last one, as the template wrote it
  std::vector<answer> known_;
  std::vector<pending_answer> pending_;  ///< one at most
  std::vector<forced_tokens> forced_;
};

}  // namespace troupe::text
