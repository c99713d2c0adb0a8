#include "gateway/tenancy.hpp"

#include <optional>

#include "gateway/error_shape.hpp"
#include "gateway/quota_writer.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::gateway {
namespace {

void scope(session_spawn& spawn, std::string_view tenant) {
  spawn.id = scoped_id(tenant, spawn.id);
  spawn.parent = scoped_id(tenant, spawn.parent);
}
void scope(session_find& find, std::string_view tenant) { find.id = scoped_id(tenant, find.id); }
void scope(session_verb& verb, std::string_view tenant) { verb.session = scoped_id(tenant, verb.session); }
void scope(verb_batch& batch, std::string_view tenant) {
  for (auto& verb : batch.verbs) scope(verb, tenant);
}
void scope(session_list& list, std::string_view tenant) { list.tenant = tenant; }
void scope(auto&, std::string_view) {}  // the others are about the node

/// Whose sessions a question is about; empty for all.
expected<std::string> tenant_asked(const control_job& job, const http_request& request, const caller& who) {
  const auto named = request.parameter("tenant");
  if (!named) return who.is_admin && std::holds_alternative<session_list>(job.request) ? std::string{} : who.tenant;
  if (const auto why = check_tenant_name(*named); !why.empty()) return failure{errc::invalid_request, "'tenant' " + why, "tenant"};
  if (who.is_admin || *named == who.tenant) return *named;
  return failure{errc::permission_denied, "another tenant's sessions are shown to an admin key only", "tenant"};
}

/// OpenAI's names or Anthropic's, of a tenant whose tokens are bounded.
std::vector<http_field> limit_fields(const std::optional<tenant_usage>& usage, error_shape shape) {
  if (!usage || usage->tokens_per_min == 0) return {};
  const auto limit = std::to_string(usage->tokens_per_min), left = std::to_string(usage->tokens_left);
  if (shape == error_shape::anthropic) return {{"anthropic-ratelimit-tokens-limit", limit}, {"anthropic-ratelimit-tokens-remaining", left}};
  return {{"x-ratelimit-limit-tokens", limit},
          {"x-ratelimit-remaining-tokens", left},
          {"x-ratelimit-reset-tokens", std::to_string(usage->full_in.count()) + "ms"}};
}

refusal refuse(const quota_refusal& refused, std::vector<http_field> fields, std::vector<session_id> ended = {}) {
  const auto ms = refused.retry_after.count();
  fields.push_back({"retry-after", std::to_string((ms + 999) / 1000)});
  fields.push_back({"retry-after-ms", std::to_string(ms)});
  fields.push_back({"x-should-retry", "true"});
  const auto* what =
      refused.what == quota_kind::tokens ? "the tenant has used its tokens of this minute" : "the tenant runs as many turns as it may";
  return {{errc::quota_reached, std::string(what) + "; try again in " + std::to_string(ms) + "ms", {}}, std::move(fields), std::move(ended)};
}

route_result hold_against_quota(turn_job job, const http_request& request, const route_context& context) {
  auto acquired = context.quotas->acquire(context.who.tenant, context.now);
  auto fields = limit_fields(context.quotas->usage(context.who.tenant, context.now), error_shape_of(request));
  if (const auto* refused = std::get_if<quota_refusal>(&acquired)) return refuse(*refused, std::move(fields), std::move(job.ended));
  job.writer = make_quota_writer(std::move(job.writer), std::get<quota_lease>(std::move(acquired)));
  job.fields.insert(job.fields.end(), fields.begin(), fields.end());
  return job;
}

}  // namespace

route_result bind_to_tenant(route_result result, const http_request& request, const route_context& context) {
  if (auto* job = std::get_if<turn_job>(&result)) {
    scope(job->spawn, context.who.tenant);
    if (context.quotas) return hold_against_quota(std::move(*job), request, context);
  } else if (auto* question = std::get_if<control_job>(&result)) {
    const auto tenant = tenant_asked(*question, request, context.who);
    if (!tenant) return tenant.error();
    std::visit([&](auto& asked) { scope(asked, *tenant); }, question->request);
  }
  return result;
}

std::optional<refusal> quota_refusal_now(const http_request& request, const route_context& context) {
  if (!context.quotas) return std::nullopt;
  const auto refused = context.quotas->refusal_now(context.who.tenant, context.now);
  if (!refused) return std::nullopt;
  return refuse(*refused, limit_fields(context.quotas->usage(context.who.tenant, context.now), error_shape_of(request)));
}

std::string tenant_metrics(const tenant_quotas& quotas) {
  std::string running = "# HELP troupe_tenant_turns_running Turns of the tenant that run now.\n# TYPE troupe_tenant_turns_running gauge\n";
  std::string tokens =
      "# HELP troupe_tenant_tokens_total Tokens computed and generated for the tenant.\n# TYPE troupe_tenant_tokens_total counter\n";
  std::string refused =
      "# HELP troupe_tenant_refusals_total Turns refused because a quota was reached.\n# TYPE troupe_tenant_refusals_total counter\n";
  for (const auto& usage : quotas.usages()) {
    const auto label = "{tenant=\"" + usage.name + "\"";
    running += "troupe_tenant_turns_running" + label + "} " + std::to_string(usage.running) + "\n";
    tokens += "troupe_tenant_tokens_total" + label + "} " + std::to_string(usage.tokens) + "\n";
    refused += "troupe_tenant_refusals_total" + label + ",quota=\"concurrency\"} " + std::to_string(usage.refused_concurrency) + "\n";
    refused += "troupe_tenant_refusals_total" + label + ",quota=\"tokens\"} " + std::to_string(usage.refused_tokens) + "\n";
  }
  return running + tokens + refused;
}

}  // namespace troupe::gateway
