// Tool calls as Llama 3 models write them: the answer is {"name": ..., "parameters": {...}}, with or without <|python_tag|> before it,
// several separated by semicolons. Only the begin of an answer is looked at: prose with braces stays prose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/call_text.hpp"
#include "engine/text/json_call.hpp"
#include "engine/text/tool_parser.hpp"

namespace troupe::text {

class llama_parser : public tool_parser {
 public:
  void push(std::string_view text, std::vector<answer_piece>& pieces) override;
  void finish(std::vector<answer_piece>& pieces) override;
  [[nodiscard]] std::vector<std::string> markers() const override;
  [[nodiscard]] std::uint32_t calls() const noexcept override { return calls_; }

 private:
  // lead --{--> call --}--> lead      lead, call --anything else--> text
  enum class place { lead, call, text };

  bool step(std::vector<answer_piece>& pieces, input more);
  bool read_lead(input more);
  bool read_call(std::vector<answer_piece>& pieces, input more);
  bool end_calls();

  place where_ = place::lead;
  std::uint32_t calls_ = 0;
  std::string held_;      ///< since the last call
  std::size_t read_ = 0;  ///< of held_, by the call
  json_call call_;
};

}  // namespace troupe::text
