// Tool calls as Qwen3-Coder writes them: <tool_call>\n<function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n</function>\n</tool_call>,
// repeated. Models leave out the outer markers at times: then it is a call if the tool was offered. The arguments become JSON as the
// values arrive, always a whole object: a call that the end of the answer cuts is closed. A marker in prose swallows nothing: a call
// exists once its first parameter or its end is there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/call_text.hpp"
#include "engine/text/parameter_value.hpp"
#include "engine/text/tool_parser.hpp"

namespace troupe::text {

class qwen_coder_parser : public tool_parser {
 public:
  explicit qwen_coder_parser(std::span<const core::chat_tool> tools);
  void push(std::string_view text, std::vector<answer_piece>& pieces) override;
  void finish(std::vector<answer_piece>& pieces) override;
  [[nodiscard]] std::vector<std::string> markers() const override;
  [[nodiscard]] std::uint32_t calls() const noexcept override { return calls_; }

 private:
  // text --<tool_call>, <function=--> head --NAME> <parameter= or </function>--> between --</function>--> tail --</tool_call>--> text
  //   ^-------- not a call -------------+                                         |   ^
  //                                                                  <parameter=KEY>  </parameter>
  //                                                                               v   |
  //                                                                              value
  enum class place { text, head, between, value, tail };

  bool step(std::vector<answer_piece>& pieces, input more);
  bool read_head(std::vector<answer_piece>& pieces, input more);
  bool read_between(std::vector<answer_piece>& pieces, input more);
  bool read_key(std::size_t at, std::vector<answer_piece>& pieces, input more);
  bool read_value(std::vector<answer_piece>& pieces, input more);
  bool end_value(std::size_t bytes, std::size_t marker_bytes, std::vector<answer_piece>& pieces);
  bool read_tail(input more);
  [[nodiscard]] bool is_offered(std::string_view name) const;
  void begin_call(std::string_view name, std::vector<answer_piece>& pieces);
  bool close_call(place next, std::vector<answer_piece>& pieces);

  std::vector<core::chat_tool> tools_;
  place where_ = place::text;
  std::uint32_t calls_ = 0;
  call_text text_;
  value_kinds kinds_;  ///< of the current call
  parameter_value value_{value_kind::text};
  bool has_parameters_ = false;  ///< the object's opening brace is out
  bool value_begins_ = false;    ///< a newline would belong to the marker before it
  std::size_t searched_ = 0;     ///< of the value: no closing marker begins before
};

}  // namespace troupe::text
