#include "gateway/reasoning_seal.hpp"

#include "engine/store/text_seal.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

reasoning_sealer sealer_of(const route_context& context) {
  if (!context.options.reasoning_seal) return {};
  return [seal = context.options.reasoning_seal, tenant = context.who.tenant](std::string_view text) { return seal->seal(text, tenant); };
}

reasoning_opener opener_of(const route_context& context) {
  if (!context.options.reasoning_seal) return {};
  return [seal = context.options.reasoning_seal, tenant = context.who.tenant](std::string_view sealed) { return seal->open(sealed, tenant); };
}

}  // namespace troupe::gateway
