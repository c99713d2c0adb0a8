// Tool calls as Mistral models write them: [TOOL_CALLS] [{"name": ..., "arguments": {...}}, ...], and from the eleventh version of their
// tokenizer on [TOOL_CALLS]NAME[ARGS]{...}, repeated. A marker in prose swallows nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/call_text.hpp"
#include "engine/text/json_call.hpp"
#include "engine/text/tool_parser.hpp"

namespace troupe::text {

class mistral_parser : public tool_parser {
 public:
  mistral_parser();
  void push(std::string_view text, std::vector<answer_piece>& pieces) override;
  void finish(std::vector<answer_piece>& pieces) override;
  [[nodiscard]] std::vector<std::string> markers() const override;
  [[nodiscard]] std::uint32_t calls() const noexcept override { return calls_; }

 private:
  // text --[TOOL_CALLS]--> head --[ {--> element --}--> between --]--> text
  //   ^                     |  |            ^--------, {--+
  //   +----- not a call ----+  +--NAME[ARGS]{--> value --}--> text
  enum class place { text, head, element, between, value };

  bool step(std::vector<answer_piece>& pieces, input more);
  bool read_head(std::vector<answer_piece>& pieces, input more);
  bool read_named(std::size_t name_at, std::vector<answer_piece>& pieces, input more);
  bool read_element(std::vector<answer_piece>& pieces, input more);
  bool read_between(input more);
  bool read_value(std::vector<answer_piece>& pieces);
  bool wait_or_give_up(std::vector<answer_piece>& pieces, input more);
  bool enter_element(std::size_t at);
  bool end_calls();

  place where_ = place::text;
  std::uint32_t calls_ = 0;
  call_text text_;
  std::size_t read_ = 0;        ///< of text_.rest(), by the element
  bool first_element_ = false;  ///< its marker is still held
  json_call call_;
  value_scanner scanner_;
};

}  // namespace troupe::text
