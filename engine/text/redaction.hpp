// Secrets taken out of text that is kept, by patterns: what an operator reads in an audit log must not let him in anywhere.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::text {

/// A pattern is literal text with at most one '*'. At its end '*' is the rest of the word (up to white space, a quote or what closes a
/// list); before more text it is anything, line ends too, up to that text. A pattern that begins with a letter or digit begins a word. What
/// has begun and does not end is taken to the end of the text, so that a text may be cut before. Each match becomes "[redacted]".
std::string redacted(std::string_view text, std::span<const std::string> patterns);

/// Bearer tokens, keys of this and other servers, AWS's, blocks of private keys.
const std::vector<std::string>& usual_secret_patterns();

/// "" or why this is no such pattern.
std::string check_redaction_pattern(std::string_view pattern);

}  // namespace troupe::text
