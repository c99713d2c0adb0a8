// Every condition that a caller can meet, in one documented enum; the gateway turns each into its protocol's shape.
// An error travels once, as a `failure`, to whoever can act on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace troupe {

enum class errc : std::uint8_t {
  none,
  invalid_request,           ///< malformed JSON, wrong type, a value out of range
  unsupported_parameter,     ///< understood, but not offered (n > 1, json_schema)
  unsupported_content,       ///< a content part of a kind that no served model takes; the message names its index
  template_failed,           ///< the chat template raised, ran too long or wrote too much
  context_length_exceeded,   ///< prompt + max_tokens is longer than the model's context
  prompt_exceeds_capacity,   ///< the prompt alone does not fit the worker's whole block pool
  model_not_found,           ///< neither a name nor an alias matches
  not_found,                 ///< unknown path, session or response
  previous_response_not_found,
  method_not_allowed,        ///< the path exists, the method does not
  body_too_large,
  headers_too_large,
  unsupported_encoding,      ///< a content-encoding of the body that is none of ours
  idempotency_mismatch,      ///< an idempotency key that names another request's turn
  answer_not_kept,           ///< a turn is known by its idempotency key, what is asked of its answer is kept no more
  quota_reached,             ///< a tenant's quota; retry later
  queue_full,                ///< a bounded queue of ours; retry later
  not_ready,                 ///< still loading
  draining,                  ///< shutting down, takes no new turns
  deadline_exceeded,
  worker_lost,               ///< the worker died and no other can continue
  cancelled,                 ///< the caller went away, or the session died
  session_dead,              ///< a verb for a session that has died
  forbidden_origin,          ///< a cross-origin browser while no keys are configured
  unauthenticated,           ///< no key, or none that is known
  permission_denied,         ///< a known key without the right
  corrupt_data,              ///< a file that does not hold what it claims
  io_failed,                 ///< the operating system refused
  internal,                  ///< a defect of ours
};
inline constexpr std::size_t errc_count = static_cast<std::size_t>(errc::internal) + 1;

/// How one condition looks from outside.
struct errc_info {
  std::string_view name;            ///< snake_case, equals the enumerator
  int http_status;
  std::string_view openai_type;     ///< `error.type` of the OpenAI shape
  std::string_view anthropic_type;  ///< `error.type` of the Anthropic shape
  bool retryable;                   ///< answered with `retry-after`
};
const errc_info& describe(errc code) noexcept;

/// An operating error on its way to whoever can act.
struct failure {
  errc code = errc::internal;
  std::string message;  ///< one sentence for a person
  std::string param;    ///< the request field or config path at fault, may be empty
  bool operator==(const failure&) const = default;
};

/// A value or the failure that took its place.
template <class T>
class expected {
 public:
  expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  expected(failure error) : state_(std::in_place_index<1>, std::move(error)) {}
  explicit operator bool() const noexcept { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const failure& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, failure> state_;
};

}  // namespace troupe
