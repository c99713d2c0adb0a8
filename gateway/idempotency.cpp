#include "gateway/idempotency.hpp"

#include <algorithm>
#include <charconv>

#include "messages/base/limits.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::gateway {
namespace {

constexpr std::string_view key_field = "idempotency-key", seen_field = "last-event-id";

bool is_printable(char letter) { return letter >= ' ' && letter <= '~'; }

std::array<std::uint64_t, 2> digest_of(const http_request& request) {
  const auto query = XXH3_64bits(request.query.data(), request.query.size());
  const auto hash = XXH3_128bits_withSeed(request.body.data(), request.body.size(), query);
  return {hash.low64, hash.high64};
}

/// The field's value, and how often it is there.
std::pair<std::string_view, std::size_t> count_field(const http_request& request, std::string_view name) {
  std::pair<std::string_view, std::size_t> found;
  for (const auto& entry : request.fields)
    if (equals_ignoring_case(entry.name, name)) found = {entry.value, found.second + 1};
  return found;
}

failure refuse(std::string_view name, std::string why) { return {errc::invalid_request, std::move(why), std::string(name)}; }

}  // namespace

expected<std::optional<turn_key>> read_turn_key(const http_request& request, std::string_view tenant) {
  if (request.method != "POST") return std::optional<turn_key>();
  const auto [key, keys] = count_field(request, key_field);
  const auto seen = request.field(seen_field);
  if (keys == 0) {
    if (seen.empty()) return std::optional<turn_key>();
    return refuse(seen_field, "'last-event-id' goes on with a turn that an 'idempotency-key' names");
  }
  if (keys > 1 || key.empty() || key.size() > limits::idempotency_key_bytes_max || !std::all_of(key.begin(), key.end(), is_printable))
    return refuse(key_field, "'idempotency-key' must be one key of at most " + std::to_string(limits::idempotency_key_bytes_max) +
                                 " printable characters");
  turn_key named;
  if (!seen.empty()) {
    const auto [end, error] = std::from_chars(seen.data(), seen.data() + seen.size(), named.seen.emplace());
    if (error != std::errc{} || end != seen.data() + seen.size())
      return refuse(seen_field, "'last-event-id' must be the id of a frame of this turn");
  }
  named.tenant = tenant;
  named.scope.append(tenant).append(1, '\n').append(request.path).append(1, '\n').append(key);
  named.digest = digest_of(request);
  return std::optional(std::move(named));
}

}  // namespace troupe::gateway
