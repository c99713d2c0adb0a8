// What a request says of how long parts of its context are to be kept: the entries of `cache.retain`, and the cache breakpoints of content
// parts.
#pragma once

#include "gateway/hint_reading.hpp"
#include "gateway/json_reader.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

struct retain_wishes {
  std::vector<retain_range> ranges;
  std::vector<message_mark> marks;
  std::vector<std::string> of_answers;  ///< paths of those that speak of what will be generated
};

/// [{"start": token, "end": token, "weight": 0..100, "ttl_ms": N} or {"at": {"message": n, "block": n}, "ttl_ms": N}, ...], each with
/// "phase": "prompt" | "decode". Of TensorRT-LLM's ranges `token_start`, `token_end`, `priority` and `duration_ms` are read too.
void read_retain(const boost::json::array& ranges, const std::string& path, retain_wishes& out, first_failure& failed);

/// Of a content part, in ms; 0: the part has none. `cache_control`: {"type": "ephemeral", "ttl": "5m" | "1h"}; `prompt_cache_breakpoint`:
/// {"mode": "explicit", "ttl": "30m" | "12h"}, of which nothing that is wrong refuses a request.
std::uint32_t read_cache_breakpoint(const json_reader& part);

/// "5m", "1h", "24h", "300s", or a number of seconds; nothing when it is none of these.
std::optional<std::uint32_t> read_duration_ms(const boost::json::value& value);

}  // namespace troupe::gateway
