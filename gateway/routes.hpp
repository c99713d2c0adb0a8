// Paths to handlers. A handler is a pure function from a request to what shall happen: a response, a failure, a question to the
// actors, or a turn. The exchange makes it happen.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/access.hpp"
#include "gateway/actor_link.hpp"
#include "gateway/answer_writer.hpp"
#include "gateway/caller.hpp"
#include "gateway/conversation_index.hpp"
#include "gateway/http_message.hpp"
#include "gateway/identity.hpp"
#include "gateway/options.hpp"
#include "gateway/tenant_quotas.hpp"

namespace troupe::gateway {

struct route_context {
  const gateway_options& options;
  random_source draw = draw_random;
  std::int64_t unix_s = 0;                              ///< now
  std::shared_ptr<conversation_index> conversations{};  ///< null: what nobody names lives for one turn
  caller who{};
  std::shared_ptr<tenant_quotas> quotas{};  ///< null: nobody is bounded
  tenant_quotas::time_point now{};
};

struct control_job {
  control_request request;
  /// Not called with a failure: that is answered as it is.
  std::function<http_response(const control_answer&)> answer;
};

/// What another thread answers.
struct deferred_job {
  /// Calls `then` once, from any thread, perhaps at once.
  std::function<void(std::function<void(expected<http_response>)> then)> begin;
};

/// Whether what an answer's end waits for has happened.
enum class end_preparation : std::uint8_t { done, refused };

struct turn_job {
  session_spawn spawn;
  turn_request turn;
  std::unique_ptr<answer_writer> writer;
  bool stream = false;
  std::vector<session_id> ended{};   ///< sessions that nobody will name again, scoped
  std::vector<http_field> fields{};  ///< of the answer
  /// What shall have happened before the end of the answer is sent, may be empty. Calls `then` once, from any thread, perhaps at once.
  std::function<void(const turn_finished&, std::function<void(end_preparation)> then)> before_end{};
  /// Called before the end when that was refused or takes longer than the options' response_wait: the end says so.
  std::function<void()> unprepared{};
};

/// A failure whose answer has fields of its own.
struct refusal {
  failure why;
  std::vector<http_field> fields;
  std::vector<session_id> ended{};  ///< as in a turn_job
};

using route_result = std::variant<http_response, failure, refusal, control_job, deferred_job, turn_job>;
using path_arguments = std::vector<std::string>;  ///< decoded
using route_handler = route_result (*)(const http_request&, const path_arguments&, const route_context&);

struct route {
  std::string_view method;
  std::string_view pattern;  ///< "/v1/sessions/{}/events"; a last "{*}" takes the whole rest
  route_handler handle;
  access_need need = access_need::key;
};

/// Of an unknown path: a key.
access_need need_of(std::string_view path);
/// All that is served.
std::span<const route> served_routes() noexcept;

/// not_found for an unknown path; method_not_allowed with `allow` for a method that the path does not have. HEAD goes where GET goes.
route_result dispatch(const http_request& request, const route_context& context);

// One per endpoint, in route_<family>.cpp.
route_result chat_completions(const http_request&, const path_arguments&, const route_context&);
route_result completions(const http_request&, const path_arguments&, const route_context&);
route_result create_message(const http_request&, const path_arguments&, const route_context&);
route_result count_message_tokens(const http_request&, const path_arguments&, const route_context&);
route_result create_response(const http_request&, const path_arguments&, const route_context&);
route_result count_response_tokens(const http_request&, const path_arguments&, const route_context&);
route_result get_response(const http_request&, const path_arguments&, const route_context&);
route_result delete_response(const http_request&, const path_arguments&, const route_context&);
route_result cancel_response(const http_request&, const path_arguments&, const route_context&);
route_result list_response_items(const http_request&, const path_arguments&, const route_context&);
route_result list_models(const http_request&, const path_arguments&, const route_context&);
route_result get_model(const http_request&, const path_arguments&, const route_context&);
route_result tokenize(const http_request&, const path_arguments&, const route_context&);
route_result detokenize(const http_request&, const path_arguments&, const route_context&);
route_result list_sessions(const http_request&, const path_arguments&, const route_context&);
route_result spawn_session(const http_request&, const path_arguments&, const route_context&);
route_result get_session(const http_request&, const path_arguments&, const route_context&);
route_result end_session(const http_request&, const path_arguments&, const route_context&);
route_result kv_hints(const http_request&, const path_arguments&, const route_context&);
route_result session_event(const http_request&, const path_arguments&, const route_context&);
route_result get_health(const http_request&, const path_arguments&, const route_context&);
route_result get_live(const http_request&, const path_arguments&, const route_context&);
route_result get_ready(const http_request&, const path_arguments&, const route_context&);
route_result get_metrics(const http_request&, const path_arguments&, const route_context&);
route_result get_openapi(const http_request&, const path_arguments&, const route_context&);

/// The model a request names; model_not_found otherwise.
expected<const gateway_model*> model_of(const route_context& context, std::string_view name);

}  // namespace troupe::gateway
