// What becomes of a handler's result on its way to the actors: the sessions that it names are scoped by its tenant, and a turn is held
// against the tenant's quotas. `dispatch` does this for every route, so that none can forget it.
#pragma once

#include <optional>
#include <string>

#include "gateway/routes.hpp"

namespace troupe::gateway {

/// An admin may speak of another tenant's sessions: `?tenant=NAME`; without it a listing shows those of everybody. Failures:
/// permission_denied, and a refusal with quota_reached. What is answered as it is stays so.
route_result bind_to_tenant(route_result result, const http_request& request, const route_context& context);

/// The refusal that a turn would meet there, for what must not happen on its behalf then.
std::optional<refusal> quota_refusal_now(const http_request& request, const route_context& context);

/// Prometheus text: what tenants use and were refused. The labels are those of the config.
std::string tenant_metrics(const tenant_quotas& quotas);

}  // namespace troupe::gateway
