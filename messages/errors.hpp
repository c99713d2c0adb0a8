// failure <-> caf::error: how operating errors travel between actors.
#pragma once

#include <caf/error.hpp>

#include "messages/base/errc.hpp"

namespace troupe {

caf::error make_error(errc code, std::string message = {}, std::string param = {});
caf::error make_error(const failure& error);
/// Ours comes back as it was made; CAF's own errors (timeouts, dead receivers) become the errc that fits.
failure to_failure(const caf::error& error);

}  // namespace troupe
