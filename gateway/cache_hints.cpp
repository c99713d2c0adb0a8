#include "gateway/cache_hints.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <chrono>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

constexpr std::array<std::string_view, 4> tiers{"device", "host", "disk", "remote"};

std::uint32_t ms_of(std::chrono::milliseconds wait) { return static_cast<std::uint32_t>(wait.count()); }

void read_range(const json_reader& range, retain_range& out) {
  out.ttl_ms = ms_of(limits::wish_ttl);
  const auto either = [&](std::string_view ours, std::string_view theirs, auto& into, integer_range bounds) {
    if (!range.read(ours, into, bounds)) range.read(theirs, into, bounds);
  };
  either("start", "token_start", out.token_begin, {});
  either("end", "token_end", out.token_end, {});
  either("weight", "priority", out.priority, {0, core::rank_max});
  either("ttl_ms", "duration_ms", out.ttl_ms, {});
  if (out.token_end != 0 && out.token_begin >= out.token_end) range.refuse("end", "must be greater than start");
}

}  // namespace

void read_cache_hints(const json_reader& cache, agent_hints& hints) {
  std::string tier;
  if (cache.read("max_tier", tier)) {
    const auto found = std::find(tiers.begin(), tiers.end(), tier);
    if (found == tiers.end()) return cache.refuse("max_tier", "must be device, host, disk or remote");
    hints.max_tier = static_cast<core::tier_level>(found - tiers.begin());
  }
  cache.read("ttl_ms", hints.cache_ttl_ms, {});
  const auto* ranges = cache.array("retain");
  if (ranges == nullptr) return;
  if (ranges->size() > limits::wishes_per_session_max)
    return cache.refuse("retain", "must have at most " + std::to_string(limits::wishes_per_session_max) + " entries");
  for (std::size_t i = 0; i < ranges->size(); ++i) {
    const auto path = index_path(cache.path_of("retain"), i);
    const auto* range = (*ranges)[i].if_object();
    if (range == nullptr) return refuse_type(cache.failed(), path, "an object");
    read_range(json_reader(*range, path, cache.failed()), hints.retain.emplace_back());
  }
}

std::uint32_t read_cache_breakpoint(const json_reader& part) {
  const auto* control = part.object("cache_control");
  if (control == nullptr) return 0;
  const json_reader reader(*control, part.path_of("cache_control"), part.failed());
  std::string type, ttl = "5m";
  if (!reader.read("type", type) || type != "ephemeral") {
    reader.refuse("type", "must be \"ephemeral\"");
    return 0;
  }
  reader.read("ttl", ttl);
  if (ttl == "5m") return ms_of(std::chrono::minutes{5});
  if (ttl == "1h") return ms_of(std::chrono::hours{1});
  reader.refuse("ttl", "must be \"5m\" or \"1h\"");
  return 0;
}

}  // namespace troupe::gateway
