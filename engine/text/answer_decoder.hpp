// Tokens of an answer to pieces of text, reasoning and tool calls, as they arrive. Never splits a code point; holds back what may
// become a stop string or a marker. The pieces, joined, are the same however the tokens were batched.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/chat.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::text {

/// How reasoning is marked: <think>...</think>, or [THINK]...[/THINK].
enum class reasoning_format : std::uint8_t { think_tags, think_brackets };

struct answer_options {
  std::vector<std::string> stop{};  ///< not part of the answer
  bool skip_special_tokens = true;
  std::string tool_format{};                 ///< see tool_formats.hpp; empty: nothing is parsed
  std::span<const core::chat_tool> tools{};  ///< that were offered; read while the decoder is made
  bool parse_reasoning = false;              ///< what is marked so becomes reasoning
  reasoning_format reasoning = reasoning_format::think_tags;
  bool begins_in_reasoning = false;  ///< the prompt ended inside an opening marker
  bool keep_leading_space = false;   ///< the answer continues a text: SentencePiece's first space is part of it
};

struct answer_piece {
  enum class kind : std::uint8_t { text, reasoning, tool_begin, tool_arguments } what = kind::text;
  std::string text;  ///< of tool_begin: the tool's name
  std::uint32_t tool_index = 0;
};

class answer_decoder {
 public:
  answer_decoder(std::shared_ptr<const tokenizer> tokens, answer_options options);
  ~answer_decoder();
  answer_decoder(answer_decoder&&) noexcept;

  /// Appends the pieces that became certain. False: a stop string matched; later tokens are ignored.
  bool push(token_id token, std::vector<answer_piece>& pieces);
  /// The answer ended: releases what was held back; incomplete bytes become U+FFFD.
  void finish(std::vector<answer_piece>& pieces);

  [[nodiscard]] const std::string& stop_string() const noexcept;  ///< the one that matched, or empty
  [[nodiscard]] std::uint32_t tool_calls() const noexcept;        ///< begun so far
  [[nodiscard]] std::uint32_t reasoning_tokens() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::text
