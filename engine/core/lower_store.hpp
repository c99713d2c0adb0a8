// What the host tier and the stores below it (disk, remote) tell each other about blocks, as plain data. Local to a process, as in tier.hpp:
// addresses stay mapped as long as `keeps` lives.
//
//   spill   store_put -> written -> store_put_done              the host's blocks are leased from put to done
//                    \-> late: store_put_cancel -> store_put_done    still leased: a write that has begun may yet read them
//   load    store_find -> store_found -> store_get -> store_got  the host's slots are reserved from get to got
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/core/tier.hpp"

namespace troupe::core {

struct store_put {
  std::uint64_t transfer = 0;
  std::vector<tier_block> blocks;
  std::vector<const std::byte*> slots;  ///< parallel, block_bytes each
  std::shared_ptr<const void> keeps;
  std::vector<tier_level> lowest;       ///< parallel: a store below this tier leaves the block out; empty: none does
};
struct store_put_done {
  std::uint64_t transfer = 0;
  bool is_complete = true;  ///< each block is there
};
/// Nobody waits for it any more. What has not begun is left out; it is answered when nothing reads the slots.
struct store_put_cancel {
  std::uint64_t transfer = 0;
};

/// How many of the chain's blocks from `from` on does the store have, without a gap?
struct store_find {
  std::uint64_t load = 0;
  std::shared_ptr<const tier_chain> chain;
  std::uint32_t from = 0;
};
struct store_found {
  std::uint64_t load = 0;
  std::uint32_t blocks = 0;
};
struct store_get {
  std::uint64_t load = 0;
  std::shared_ptr<const tier_chain> chain;
  std::uint32_t from = 0;
  std::vector<std::byte*> slots;  ///< of blocks [from, from + size)
  std::shared_ptr<const void> keeps;
};
struct store_got {
  std::uint64_t load = 0;
  std::uint32_t blocks = 0;  ///< of the leading ones that arrived whole
  std::vector<block_role> roles{};  ///< of these, as they were stored; what is missing is unknown
};

/// Their last owner has died. Not answered.
struct store_drop {
  std::vector<block_hash> hashes;
};

}  // namespace troupe::core
