#include "actors/config_timing.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::actors {

expected<core::replay::replay_rates> parse_timing(std::string_view text, const std::string& file) {
  const auto refuse = [&](const std::string& why) { return failure{errc::invalid_request, file + ": " + why, {}}; };
  core::replay::replay_rates rates;
  const std::array<std::pair<std::string_view, double*>, 5> keys{{{"step_s", &rates.step_s},
                                                                  {"prefill_tokens_per_s", &rates.prefill_tokens_per_s},
                                                                  {"decode_tokens_per_s", &rates.decode_tokens_per_s},
                                                                  {"kv_bytes_per_token", &rates.kv_bytes_per_token},
                                                                  {"host_bytes_per_s", &rates.host_bytes_per_s}}};
  try {
    const toml::table root = toml::parse(text);
    for (const auto& [name, section] : root)
      if (name.str() != "timing" || !section.is_table())
        return refuse("unknown section \"" + std::string(name.str()) + "\" (line " + std::to_string(section.source().begin.line) + ")");
    const auto* table = root["timing"].as_table();
    if (!table) return rates;
    for (const auto& [name, node] : *table) {
      const auto* known = std::find_if(keys.begin(), keys.end(), [key = name.str()](const auto& each) { return each.first == key; });
      const auto where = "timing." + std::string(name.str());
      if (known == keys.end()) return refuse(where + ": unknown key (line " + std::to_string(node.source().begin.line) + ")");
      const auto number = node.value<double>();
      if (!node.is_number() || !number) return refuse(where + ": expects a number");
      if (!(*number > 0 && *number <= 1e15)) return refuse(where + ": expects a number above 0 and up to 1e15");
      *known->second = *number;
    }
    return rates;
  } catch (const toml::parse_error& error) {
    return refuse("line " + std::to_string(error.source().begin.line) + " is not TOML: " + std::string(error.description()));
  }
}

}  // namespace troupe::actors
