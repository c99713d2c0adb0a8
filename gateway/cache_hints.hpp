// What a request says of where and how long its context may be kept: the `cache` group of agent_hints, and the cache breakpoints of
// content parts.
#pragma once

#include "gateway/json_reader.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

/// {"max_tier": "device|host|disk|remote", "ttl_ms": N, "retain": [{"start": token, "end": token, "weight": 0..100, "ttl_ms": N}, ...]}.
/// Of TensorRT-LLM's ranges `token_start`, `token_end`, `priority` and `duration_ms` are read too.
void read_cache_hints(const json_reader& cache, agent_hints& hints);

/// `cache_control` of a content part: {"type": "ephemeral", "ttl": "5m" | "1h"}. 0: the part has none.
std::uint32_t read_cache_breakpoint(const json_reader& part);

}  // namespace troupe::gateway
