#include "engine/core/replay/hints.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace troupe::core::replay {

std::optional<hint_options> parse_hints(std::string_view text) {
  using kind = hint_options::kind;
  if (text == "none") return hint_options{};
  if (text == "exact") return hint_options{kind::exact, 0};
  for (const auto& [name, what] : {std::pair<std::string_view, kind>{"lognormal:", kind::lognormal}, {"constant:", kind::constant}}) {
    if (!text.starts_with(name)) continue;
    const auto number = text.substr(name.size());
    hint_options options{what, 0};
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), options.value);
    const bool whole = error == std::errc{} && end == number.data() + number.size();
    if (whole && options.value >= 0 && options.value <= 1e6) return options;
  }
  return std::nullopt;
}

std::string to_string(const hint_options& hints) {
  using kind = hint_options::kind;
  if (hints.what == kind::none) return "none";
  if (hints.what == kind::exact) return "exact";
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), hints.what == kind::lognormal ? "lognormal:%g" : "constant:%g", hints.value);
  return text.data();
}

std::vector<float> make_hints(const scenario& played, const hint_options& options, std::uint32_t seed) {
  using kind = hint_options::kind;
  std::vector<float> hints(played.requests.size(), -1.0F);
  std::mt19937 rng(seed);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < hints.size() && options.what != kind::none; ++i) {
    const double error = normal(rng);
    const double pause = played.requests[i].tool_pause_s;
    if (pause < 0) continue;
    if (options.what == kind::exact) hints[i] = static_cast<float>(pause);
    if (options.what == kind::lognormal) hints[i] = static_cast<float>(pause * std::exp(options.value * error));
    if (options.what == kind::constant) hints[i] = static_cast<float>(options.value);
  }
  return hints;
}

}  // namespace troupe::core::replay
