#include "gateway/routes.hpp"

#include <algorithm>
#include <array>

#include "gateway/tenancy.hpp"

namespace troupe::gateway {
namespace {

constexpr std::array table{
    route{"POST", "/v1/chat/completions", chat_completions},
    route{"POST", "/v1/completions", completions},
    route{"POST", "/v1/messages", create_message},
    route{"POST", "/v1/messages/count_tokens", count_message_tokens},
    route{"POST", "/v1/responses", create_response},
    route{"POST", "/v1/responses/input_tokens", count_response_tokens},
    route{"GET", "/v1/responses/{}", get_response},
    route{"DELETE", "/v1/responses/{}", delete_response},
    route{"POST", "/v1/responses/{}/cancel", cancel_response},
    route{"GET", "/v1/responses/{}/input_items", list_response_items},
    route{"GET", "/v1/models", list_models},
    route{"GET", "/v1/models/{*}", get_model},  // names with '/' arrive both encoded and not
    route{"POST", "/tokenize", tokenize},
    route{"POST", "/detokenize", detokenize},
    route{"GET", "/v1/sessions", list_sessions},
    route{"POST", "/v1/sessions", spawn_session},
    route{"GET", "/v1/sessions/{}", get_session},
    route{"DELETE", "/v1/sessions/{}", end_session},
    route{"POST", "/v1/sessions/{}/events", session_event},
    route{"POST", "/v1/kv_hints", kv_hints, access_need::admin},
    route{"GET", "/health", get_health, access_need::admin},
    route{"GET", "/live", get_live, access_need::nothing},
    route{"GET", "/ready", get_ready, access_need::nothing},
    route{"GET", "/metrics", get_metrics, access_need::admin},
    route{"GET", "/openapi.json", get_openapi, access_need::nothing},
};

std::string_view take_segment(std::string_view& rest) {
  rest.remove_prefix(1);
  const auto segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(segment.size());
  return segment;
}

/// Fills `arguments` with the undecoded values of {}.
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string_view>& arguments) {
  arguments.clear();
  while (!pattern.empty() && !path.empty()) {
    if (pattern == "/{*}") {
      arguments.push_back(path.substr(1));
      return path.size() > 1;
    }
    const auto expected_segment = take_segment(pattern);
    const auto segment = take_segment(path);
    if (expected_segment == "{}" && !segment.empty())
      arguments.push_back(segment);
    else if (expected_segment != segment)
      return false;
  }
  return pattern.empty() && path.empty();
}

refusal refuse_method(const std::string& allowed) {
  return {{errc::method_not_allowed, "this path takes " + allowed, {}}, {{"allow", allowed}}};
}

bool serves(const route& entry, std::string_view method) { return entry.method == method || (method == "HEAD" && entry.method == "GET"); }

}  // namespace

access_need need_of(std::string_view path) {
  std::vector<std::string_view> raw;
  for (const auto& entry : table)
    if (path.starts_with('/') && matches(entry.pattern, path, raw)) return entry.need;
  return access_need::key;
}
std::span<const route> served_routes() noexcept { return table; }

route_result dispatch(const http_request& request, const route_context& context) {
  std::string allowed;
  std::vector<std::string_view> raw;
  if (!request.path.starts_with('/')) return failure{errc::not_found, "there is nothing at this path", {}};
  for (const auto& entry : table) {
    if (!matches(entry.pattern, request.path, raw)) continue;
    if (!serves(entry, request.method)) {
      if (!allowed.empty()) allowed += ", ";
      allowed += entry.method == "GET" ? "GET, HEAD" : entry.method;
      continue;
    }
    path_arguments arguments;
    for (const auto& value : raw) {
      auto decoded = decode_percent(value);
      if (!decoded) return failure{errc::invalid_request, "the path has a broken percent escape", {}};
      arguments.push_back(std::move(*decoded));
    }
    return bind_to_tenant(entry.handle(request, arguments, context), request, context);
  }
  if (!allowed.empty()) return refuse_method(allowed);
  return failure{errc::not_found, "there is nothing at this path", {}};
}

expected<const gateway_model*> model_of(const route_context& context, std::string_view name) {
  const auto* model = context.options.find_model(name);
  if (model != nullptr) return model;
  return failure{errc::model_not_found, "the model '" + std::string(name) + "' is not served here", "model"};
}

}  // namespace troupe::gateway
