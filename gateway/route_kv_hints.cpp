// POST /v1/kv_hints: what a trusted router tells of cached blocks, for callers who may end anybody's sessions.
#include <boost/json/object.hpp>

#include "gateway/kv_hints.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

route_result kv_hints(const http_request& request, const path_arguments&, const route_context& context) {
  if (!context.who.is_admin) return failure{errc::permission_denied, "kv_hints are for callers with an administrator's key", {}};
  const auto object = parse_object(request.body);
  if (!object) return object.error();
  auto message = read_kv_message(*object, context.who.hints);
  if (!message) return message.error();
  verb_batch batch;
  for (const auto& action : message->actions)
    if (action.rejected.empty()) batch.verbs.push_back(action.verb);
  const auto respond = [message = *std::move(message)](const std::vector<verb_answer>& answers) {
    http_response response;
    response.body = kv_outcomes(message, answers);
    return response;
  };
  if (batch.verbs.empty()) return respond({});
  return control_job{std::move(batch), [respond](const control_answer& answer) { return respond(std::get<verb_answers>(answer).answers); }};
}

}  // namespace troupe::gateway
