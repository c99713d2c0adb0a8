// Parts <think>...</think> from the answer. Reasoning opens only as the first thing of an answer: a <think> in the middle of prose is
// prose. Newlines next to the markers belong to them, so that a template which writes them again gives the same text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

inline constexpr std::string_view think_open = "<think>";
inline constexpr std::string_view think_close = "</think>";

class reasoning_parser {
 public:
  explicit reasoning_parser(bool begins_in_reasoning);
  /// Appends pieces of kind text and reasoning.
  void push(std::string_view text, std::vector<answer_piece>& pieces);
  void finish(std::vector<answer_piece>& pieces);
  [[nodiscard]] bool in_reasoning() const noexcept { return where_ == place::reasoning || where_ == place::reasoning_start; }

 private:
  // start --<think>--> reasoning_start --text--> reasoning --</think>--> after_close --text--> text
  //   |                     | --</think>--------------------------------------^                  ^
  //   +-- anything else -----------------------------------------------------------------------+
  enum class place { start, reasoning_start, reasoning, after_close, text };

  bool step(std::vector<answer_piece>& pieces, bool ended);
  bool open(bool ended);
  bool leave_newlines(bool ended);
  bool close(std::vector<answer_piece>& pieces, bool ended);

  place where_;
  bool may_open_;     ///< an opening marker would still be the first thing
  std::string held_;  ///< not decided yet
};

}  // namespace troupe::text
