// Parts reasoning, <think>...</think> or [THINK]...[/THINK], from the answer. It opens only as the first thing of an answer: a marker in
// the middle of prose is prose. Newlines next to the markers belong to them: a template that writes them again gives the same text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

struct reasoning_markers {
  std::string_view open, close;
};
constexpr reasoning_markers markers_of(reasoning_format format) noexcept {
  if (format == reasoning_format::think_brackets) return {"[THINK]", "[/THINK]"};
  return {"<think>", "</think>"};
}

class reasoning_parser {
 public:
  explicit reasoning_parser(bool begins_in_reasoning, reasoning_format format = reasoning_format::think_tags);
  /// Appends pieces of kind text and reasoning.
  void push(std::string_view text, std::vector<answer_piece>& pieces);
  void finish(std::vector<answer_piece>& pieces);
  [[nodiscard]] bool in_reasoning() const noexcept { return where_ == place::reasoning || where_ == place::reasoning_start; }

 private:
  // start --<think>--> reasoning_start --text--> reasoning --</think>--> after_close --text--> text
  //   |                     | --</think>--------------------------------------^                  ^
  //   +-- anything else -----------------------------------------------------------------------+
  enum class place { start, reasoning_start, reasoning, after_close, text };

  std::size_t first_not_of(std::string_view blanks);
  bool step(std::vector<answer_piece>& pieces, bool ended);
  bool open(bool ended);
  bool leave_newlines(bool ended);
  bool close(std::vector<answer_piece>& pieces, bool ended);

  reasoning_markers markers_;
  place where_;
  bool may_open_;     ///< an opening marker would still be the first thing
  std::string held_;  ///< not decided yet
  std::size_t blank_ = 0;  ///< bytes at its begin that are known to be white space
};

}  // namespace troupe::text
