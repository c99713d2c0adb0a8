#include "gateway/keyed_request.hpp"

namespace troupe::gateway {
namespace {

void give_back(const turn_job& job, const failure& why, const session_ender& end_session) {
  job.writer->refused(why);
  for (const auto& ended : job.ended) end_session(ended);
}

}  // namespace

std::variant<followed_turn, route_result> find_turn(const turn_key& key, const std::shared_ptr<const connection_context>& context,
                                                    const std::string& request_id, error_shape shape,
                                                    const std::function<route_result()>& route, const session_ender& end_session) {
  auto known = context->turns->find(key);
  if (!known) return route_result(known.error());
  if (*known) return followed_turn{*std::move(known), key.seen.value_or(0), true};
  if (key.seen)
    return route_result(failure{errc::not_found, "there is no turn of this 'idempotency-key' to go on with", "idempotency-key"});
  auto result = route();
  auto* job = std::get_if<turn_job>(&result);
  if (job == nullptr) return result;
  // Another connection may have begun it meanwhile.
  auto claimed = context->turns->open(key, context);
  if (!claimed) {
    give_back(*job, claimed.error(), end_session);
    return route_result(claimed.error());
  }
  if (claimed->is_new)
    claimed->turn->start(std::move(*job), request_id, shape);
  else
    give_back(*job, {errc::cancelled, "another connection has begun the turn", {}}, end_session);
  return followed_turn{std::move(claimed->turn), 0, !claimed->is_new};
}

}  // namespace troupe::gateway
