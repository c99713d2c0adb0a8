// The rates file of the replay lab: one [timing] section in TOML, like configs/timing.toml.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/replay/player.hpp"
#include "messages/base/errc.hpp"

namespace troupe::actors {

/// Failure: invalid_request, naming `file` and the key.
expected<core::replay::replay_rates> parse_timing(std::string_view text, const std::string& file);

}  // namespace troupe::actors
