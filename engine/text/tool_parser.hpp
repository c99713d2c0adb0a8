// The last stage of the answer decoder: finds tool calls in text. One class per output format.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

class tool_parser {
 public:
  virtual ~tool_parser() = default;
  /// Appends pieces of kind text, tool_begin and tool_arguments.
  virtual void push(std::string_view text, std::vector<answer_piece>& pieces) = 0;
  virtual void finish(std::vector<answer_piece>& pieces) = 0;
  /// Texts that the format gives a meaning; where they are special tokens they are not skipped.
  [[nodiscard]] virtual std::vector<std::string> markers() const = 0;
  [[nodiscard]] virtual std::uint32_t calls() const noexcept = 0;  ///< begun so far

  /// Null for a format that is not known, and for the empty one. `tools` are those that were offered: formats that write values without
  /// their types look them up.
  static std::unique_ptr<tool_parser> make(std::string_view format, std::span<const core::chat_tool> tools = {});
};

}  // namespace troupe::text
