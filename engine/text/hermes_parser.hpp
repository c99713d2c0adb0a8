// Tool calls as Hermes and Qwen models write them: <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>, repeated. A marker in
// prose swallows nothing: a call exists once its name and the beginning of its arguments are there, until then all is held.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/hermes_call.hpp"
#include "engine/text/tool_parser.hpp"

namespace troupe::text {

class hermes_parser : public tool_parser {
 public:
  void push(std::string_view text, std::vector<answer_piece>& pieces) override;
  void finish(std::vector<answer_piece>& pieces) override;
  [[nodiscard]] std::vector<std::string> markers() const override;
  [[nodiscard]] std::uint32_t calls() const noexcept override { return calls_; }

 private:
  // text --<tool_call>--> call --}--> tail --</tool_call>--> text
  //   ^----- not a call ----+           |
  //   ^------------ anything else ------+
  enum class place { text, call, tail };

  // Each takes what it can from `rest` and returns what is left.
  std::string_view read_text(std::string_view rest, std::vector<answer_piece>& pieces);
  std::string_view read_call(std::string_view rest, std::vector<answer_piece>& pieces);
  std::string_view read_tail(std::string_view rest);
  void begin_call(std::vector<answer_piece>& pieces);
  void flush_arguments(std::vector<answer_piece>& pieces);
  void release(std::vector<answer_piece>& pieces);

  place where_ = place::text;
  bool after_call_ = false;  ///< only white space since the last call: it is dropped unless text follows
  bool begun_ = false;       ///< tool_begin of the current call is out
  std::uint32_t calls_ = 0;
  std::string held_;  ///< text that is not decided yet; in a call all of it since the marker, until it has begun
  hermes_call call_;
};

}  // namespace troupe::text
