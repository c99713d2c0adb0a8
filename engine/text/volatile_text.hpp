// What clients put into system messages and change from request to request (a billing line, a count of tokens left): it would end every shared
// prefix where it stands, and says nothing to a model. Taken out by patterns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::text {

/// A pattern is literal text with at most one '*', which stands for anything within a line. One that ends in '*' matches from the begin of a
/// line and takes the whole line, its newline included. Returns `text` without all matches.
std::string without_volatile(std::string_view text, std::span<const std::string> patterns);

/// Claude Code's billing line and its count of tokens left.
const std::vector<std::string>& usual_volatile_patterns();

/// "" or why this is no such pattern.
std::string check_volatile_pattern(std::string_view pattern);

}  // namespace troupe::text
