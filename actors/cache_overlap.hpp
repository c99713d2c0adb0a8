// What a main prompt has in common with what its session had cached before, and what a turn has therefore missed. Plain functions: where the
// prompts part is found while the new one is encoded and its blocks are named, so nothing is read twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/core/block_role.hpp"
#include "messages/base/ids.hpp"
#include "messages/cache_miss.hpp"

namespace troupe::actors {

/// What a main turn has left behind.
struct cache_basis {
  model_id model;
  std::string cache_salt, template_arguments;
  std::size_t messages = 0;       ///< of its prompt; 0: it came as text or tokens
  std::uint32_t tokens = 0;       ///< of prompt and answer
  bool has_reasoned = false;      ///< in its answer
  worker_id worker;
};

/// What the next one has of it.
struct cache_overlap {
  cache_miss_reason why = cache_miss_reason::none;  ///< the two part; none: they do not
  std::uint32_t last_tokens = 0;    ///< of the one before, in whole blocks
  std::uint32_t shared_tokens = 0;  ///< of them, at the begin of both
  std::optional<worker_id> last_worker;
};

/// The new prompt, and where it leaves the one before; without `before` that is in the answer, if anywhere.
struct cache_departure {
  model_id model;
  std::string_view cache_salt, template_arguments;
  std::size_t messages = 0;
  std::optional<core::block_role> before, after;
  bool is_compacted = false;  ///< the harness has said so
};

cache_miss_reason reason_of(const cache_basis& last, const cache_departure& now);

/// The turn as its worker began it.
struct cache_hit {
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, block_tokens = 1;
  worker_id worker;
};
/// The last token of a prompt is always computed.
cache_miss miss_of(const cache_overlap& overlap, const cache_hit& hit) noexcept;

}  // namespace troupe::actors
