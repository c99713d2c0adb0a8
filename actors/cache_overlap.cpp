#include "actors/cache_overlap.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

using core::block_role;

bool says_effort(std::string_view arguments) {
  return arguments.find("reasoning_effort") != std::string_view::npos || arguments.find("enable_thinking") != std::string_view::npos;
}

}  // namespace

cache_miss_reason reason_of(const cache_basis& last, const cache_departure& now) {
  if (!(last.model == now.model)) return cache_miss_reason::model_changed;
  if (last.cache_salt != now.cache_salt) return cache_miss_reason::salt_changed;
  if (now.is_compacted) return cache_miss_reason::context_compacted;
  if (!now.before) return last.has_reasoned ? cache_miss_reason::reasoning_stripped : cache_miss_reason::input_changed;
  const auto is_of = [&](block_role role) { return now.before == role || now.after == role; };
  if (is_of(block_role::tools)) return cache_miss_reason::tools_changed;
  if (last.template_arguments != now.template_arguments)
    return says_effort(last.template_arguments) || says_effort(now.template_arguments) ? cache_miss_reason::reasoning_effort_changed
                                                                                       : cache_miss_reason::template_changed;
  if (is_of(block_role::system)) return cache_miss_reason::system_changed;
  if (now.messages < last.messages) return cache_miss_reason::context_compacted;
  return now.before == block_role::reasoning ? cache_miss_reason::reasoning_stripped : cache_miss_reason::input_changed;
}

cache_miss miss_of(const cache_overlap& overlap, const cache_hit& hit) noexcept {
  const auto reachable = hit.prompt_tokens == 0 ? 0 : (hit.prompt_tokens - 1) / hit.block_tokens * hit.block_tokens;
  const auto shared = std::min(overlap.shared_tokens, reachable);
  if (hit.cached_tokens < shared) {
    const bool has_moved = overlap.last_worker && !(*overlap.last_worker == hit.worker);
    return {has_moved ? cache_miss_reason::worker_changed : cache_miss_reason::evicted, shared - hit.cached_tokens};
  }
  const auto there = std::min(overlap.last_tokens, reachable);
  if (overlap.why == cache_miss_reason::none || there <= hit.cached_tokens) return {};
  return {overlap.why, there - hit.cached_tokens};
}

}  // namespace troupe::actors
