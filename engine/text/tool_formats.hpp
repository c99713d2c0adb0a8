// The ways in which models spell tool calls, by name: "hermes", "qwen3_coder", "llama3", "mistral".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::text {

/// Whether answers of this tool format can be parsed.
[[nodiscard]] bool is_tool_format(std::string_view name) noexcept;
/// The format that a chat template writes calls in; empty when it is none that can be parsed.
[[nodiscard]] std::string_view tool_format_of(std::string_view chat_template) noexcept;
/// The id of a call, of a number that no other call of its conversation has. Mistral's templates refuse all but nine letters and digits.
[[nodiscard]] std::string tool_call_id(std::string_view format, std::uint64_t number);

}  // namespace troupe::text
