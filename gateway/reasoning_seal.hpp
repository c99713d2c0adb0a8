// Reasoning that clients carry for us: what is sealed is what the model wrote, whatever its client makes of the text beside it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::gateway {

struct route_context;

/// Makes `encrypted_content` or a signature of reasoning; empty: there is none.
using reasoning_sealer = std::function<std::string(std::string_view)>;
/// What was sealed; nullopt for what somebody else has sealed or what was changed. Empty: everything is.
using reasoning_opener = std::function<std::optional<std::string>(std::string_view)>;

/// For the caller's tenant alone; empty when the gateway has no key.
reasoning_sealer sealer_of(const route_context& context);
reasoning_opener opener_of(const route_context& context);

}  // namespace troupe::gateway
