// What a harness would tell about a tool pause when it begins: the truth, the truth with an error, or always the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/replay/scenario.hpp"

namespace troupe::core::replay {

struct hint_options {
  enum class kind : std::uint8_t { none, exact, lognormal, constant } what = kind::none;
  double value = 0;  ///< sigma of the logarithm, or seconds
};
/// "none", "exact", "lognormal:SIGMA", "constant:SECONDS".
std::optional<hint_options> parse_hints(std::string_view text);
std::string to_string(const hint_options& hints);

/// Per request of the scenario the expected length of the tool pause after it, or -1. A function of the request's number and `seed`
/// alone, so that all rows get the same.
std::vector<float> make_hints(const scenario& played, const hint_options& options, std::uint32_t seed);

}  // namespace troupe::core::replay
