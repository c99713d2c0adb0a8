// Strong id types. Two ids of different meaning never compare or convert, so a block index cannot travel
// as a ticket. Standard library only: everything in the tree may include this.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace troupe {

template <class Tag, class Value>
struct strong_id {
  Value value{};
  auto operator<=>(const strong_id&) const = default;
};

/// One token of a model's vocabulary. Negative values have a meaning only inside a step plan (core/backend.hpp).
using token_id = std::int32_t;

/// One turn, unique within a cluster's lifetime: the gateway draws it at random.
using request_id = strong_id<struct request_tag, std::uint64_t>;
/// One agent's life as the harness names it, scoped by tenant.
using session_id = strong_id<struct session_tag, std::string>;
/// The name a model is served under (not an alias).
using model_id = strong_id<struct model_tag, std::string>;
/// One worker, stable over restarts of its actor. Also the holder id of its device blocks.
using worker_id = strong_id<struct worker_tag, std::uint32_t>;
/// Index of a block in one pool.
using block_index = std::uint32_t;
inline constexpr block_index no_block = ~block_index{0};
/// One submission to a backend; ascending per backend.
using ticket_id = strong_id<struct ticket_tag, std::uint64_t>;
/// Who keeps a cached block alive: the 64-bit hash of a (tenant, session, incarnation).
using owner_id = strong_id<struct owner_tag, std::uint64_t>;
/// A tenant by its place in the config, small and dense: 0 is `default`.
using tenant_index = std::uint16_t;

/// 128-bit chained identity of a block and all before it. `low` alone is the id in the prefix index.
struct block_hash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  auto operator<=>(const block_hash&) const = default;
};

}  // namespace troupe

template <class Tag, class Value>
struct std::hash<troupe::strong_id<Tag, Value>> {
  std::size_t operator()(const troupe::strong_id<Tag, Value>& id) const noexcept { return std::hash<Value>{}(id.value); }
};

template <>
struct std::hash<troupe::block_hash> {
  std::size_t operator()(const troupe::block_hash& hash) const noexcept { return hash.low; }
};
