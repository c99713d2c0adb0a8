// Config texts that a test expects to be read, or to be refused.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "actors/config.hpp"

namespace troupe::actors {

inline const config_origin origin{"/etc/troupe", "/home/agent"};
inline constexpr std::string_view one_model = "[[model]]\npath = \"m\"\n";

inline config parse_good(const std::string& text) {
  auto parsed = parse_config(text, origin);
  if (!parsed) FAIL(parsed.error().message);
  return *parsed;
}

/// A text without a model gets one behind it.
inline failure parse_bad(const std::string& text) {
  const auto parsed = parse_config(text + "\n" + std::string(text.find("[[model]]") == std::string::npos ? one_model : ""), origin);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == errc::invalid_request);
  return parsed.error();
}

}  // namespace troupe::actors
