// Writing JSON by hand where every token of every answer passes: escaped strings and numbers appended to one buffer.
// Bytes that are not UTF-8 become U+FFFD, because one bad byte would make a client drop the whole frame.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::gateway {

/// The text between quotes, with the quotes.
void append_json_string(std::string& out, std::string_view text);
void append_json_integer(std::string& out, std::int64_t value);
/// Shortest form that reads back equal; what JSON cannot say (infinite, NaN) becomes -9999.0, as OpenAI writes impossible tokens.
void append_json_logprob(std::string& out, float value);

/// 16 lower-case hexadecimal digits.
std::string hex_of(std::uint64_t value);

/// Length in bytes of the UTF-8 sequence at the front of `text`, 0 when it is none.
std::size_t utf8_length(std::string_view text) noexcept;

}  // namespace troupe::gateway
