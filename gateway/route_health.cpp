// /live: the process answers. /health: the node answers, with its state. /ready: it takes turns. /metrics: Prometheus text.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/audit_log.hpp"
#include "gateway/error_shape.hpp"
#include "gateway/routes.hpp"
#include "gateway/tenancy.hpp"
#include "gateway/tls_identity.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

json::object describe_removals(const std::vector<std::uint64_t>& removed) {
  json::object by_cause;
  for (std::size_t at = 0; at < core::eviction_causes; ++at) {
    const auto cause = static_cast<core::eviction_cause>(at);
    by_cause[to_string(cause)] = removed_by(removed, cause);
  }
  return by_cause;
}

template <class Status>
json::object describe_tenants(const Status& status) {
  json::object by_tenant;
  for (std::size_t at = 0; at < std::min(status.tenants.size(), status.blocks_by_tenant.size()); ++at)
    by_tenant[status.tenants[at]] = status.blocks_by_tenant[at];
  return by_tenant;
}

json::object describe_worker(const worker_status& worker) {
  return {
      {"worker", worker.worker.value},
      {"model", worker.model.value},
      {"epoch", worker.epoch},
      {"blocks", json::object{{"total", worker.blocks_total},
                              {"free", worker.blocks_free},
                              {"leased", worker.blocks_leased},
                              {"cached", worker.blocks_cached},
                              {"pinned", worker.blocks_pinned},
                              {"stored", worker.blocks_stored},
                              {"tenants", describe_tenants(worker)},
                              {"removed", describe_removals(worker.blocks_removed)}}},
      {"running", worker.running},
      {"waiting", worker.waiting},
      {"steps", worker.steps},
      {"preemptions", worker.preemptions},
      {"hash_mismatches", worker.hash_mismatches},
      {"transfers", json::object{{"onboarded", worker.blocks_onboarded},
                                 {"offloaded", worker.blocks_offloaded},
                                 {"recomputed", worker.blocks_recomputed},
                                 {"failed", worker.transfer_failures}}},
      {"tokens", json::object{{"computed", worker.tokens_computed}, {"reused", worker.tokens_reused}, {"sampled", worker.tokens_sampled}}},
      {"numeric_class", worker.numeric_class},
      {"integrity", worker.integrity}};
}

json::object describe_tier(const tier_status& tier) {
  return {{"tier", tier.kind},
          {"model", tier.model.value},
          {"epoch", tier.epoch},
          {"bytes", tier.bytes_total},
          {"blocks", json::object{{"total", tier.blocks_total},
                                  {"free", tier.blocks_free},
                                  {"leased", tier.blocks_leased},
                                  {"cached", tier.blocks_cached},
                                  {"pinned", tier.blocks_pinned},
                                  {"stored", tier.blocks_stored},
                                  {"tenants", describe_tenants(tier)},
                                  {"read", tier.blocks_read},
                                  {"refused", tier.blocks_refused},
                                  {"failed", tier.blocks_failed},
                                  {"recomputed", tier.blocks_recomputed},
                                  {"clipped", tier.blocks_clipped},
                                  {"given_up", tier.blocks_given_up},
                                  {"removed", describe_removals(tier.blocks_removed)}}},
          {"hash_mismatches", tier.hash_mismatches},
          {"integrity", tier.integrity}};
}

http_response health_response(const control_answer& answer) {
  const auto& status = std::get<node_status>(answer);
  json::array workers;
  for (const auto& worker : status.workers) workers.push_back(describe_worker(worker));
  json::array tiers;
  for (const auto& tier : status.tiers) tiers.push_back(describe_tier(tier));
  http_response response;
  response.body = json::serialize(json::object{{"status", status.state},
                                               {"sessions", status.sessions},
                                               {"turns_running", status.turns_running},
                                               {"restarts", status.restarts},
                                               {"workers", std::move(workers)},
                                               {"tiers", std::move(tiers)}});
  return response;
}

http_response bare_health_response(const control_answer& answer) {
  http_response response;
  response.body = json::serialize(json::object{{"status", std::get<node_status>(answer).state}});
  return response;
}

template <http_response (*when_ready)(const control_answer&)>
http_response ready_response(const control_answer& answer) {
  const auto& state = std::get<node_status>(answer).state;
  if (state == "ready") return when_ready(answer);
  if (state == "draining") return error_response({errc::draining, "the node is draining", {}});
  return error_response({errc::not_ready, "the node is " + state, {}});
}

http_response metrics_response(const control_answer& answer) {
  http_response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = std::get<metrics_text>(answer).text;
  return response;
}

}  // namespace

route_result get_live(const http_request&, const path_arguments&, const route_context&) {
  http_response response;
  response.body = R"({"status":"live"})";
  return response;
}

route_result get_health(const http_request&, const path_arguments&, const route_context&) {
  return control_job{node_status_request{}, health_response};
}

/// Load balancers ask without a key, and learn no more than they need.
route_result get_ready(const http_request&, const path_arguments&, const route_context& context) {
  if (!context.who.is_admin) return control_job{node_status_request{}, ready_response<bare_health_response>};
  return control_job{node_status_request{}, ready_response<health_response>};
}

route_result get_metrics(const http_request&, const path_arguments&, const route_context& context) {
  const auto with_ours = [quotas = context.quotas, tls = context.options.tls, audit = context.options.audit](const control_answer& answer) {
    auto response = metrics_response(answer);
    if (quotas) response.body += tenant_metrics(*quotas);
    if (tls) response.body += tls->metrics();
    if (audit) response.body += audit->metrics();
    return response;
  };
  return control_job{metrics_request{}, with_ours};
}

}  // namespace troupe::gateway
