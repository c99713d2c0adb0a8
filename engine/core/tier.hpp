// What a worker and the tier below its device tell each other about blocks, as plain data. Local to a process: a slot is an address of
// block_bytes bytes in the tier layout, which stays mapped as long as `keeps` lives, whatever becomes of the tier.
//
//   offload   slot_request -> slot_grant -> copy -> slot_commit     the device's block is leased from request to commit
//   onboard   lease_request -> lease_grant -> copy -> lease_end     the tier's blocks are leased from grant to end
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/core/block_pool.hpp"

namespace troupe::core {

struct tier_block {
  block_identity identity;
  block_hash parent;
  std::vector<token_id> tokens;
  block_role role = block_role::unknown;
  std::vector<owner_id> owners = {};  ///< it displaces only what is worth less than to one of them
  std::uint8_t rank = rank_default;
  tenant_index tenant = 0;
};

/// Room for blocks that the device holds; parents before children.
struct slot_request {
  std::uint64_t transfer = 0;  ///< unique per worker
  std::vector<tier_block> blocks;
};
struct slot_grant {
  std::uint64_t transfer = 0;
  std::vector<std::byte*> slots;  ///< parallel to the request; null: the tier has it already, or has no room
  std::shared_ptr<const void> keeps;
  bool is_full = false;           ///< what comes displaces what is there
};
/// The copies are there, or none of them may be used.
struct slot_commit {
  std::uint64_t transfer = 0;
  bool is_complete = false;
  std::vector<std::vector<owner_id>> owners;  ///< of each block, now
};

/// When a device's blocks are copied to the tier below. What has room there is copied as soon as it is stored in either case.
enum class offload_rule : std::uint8_t {
  write_through,  ///< all of a turn's when it has ended: the tier has what the device has
  on_eviction,    ///< what is about to leave the device: tier and device together have more
};

/// A sequence's content as far as it has full blocks.
struct tier_chain {
  block_hash root;
  std::vector<block_identity> blocks;
  std::vector<token_id> tokens;  ///< at least those of `blocks`
  std::vector<role_range> roles{};
};

/// The blocks behind the first `from` of the chain. Whether any are there or not, the owner owns what the tier has of the whole chain.
struct lease_request {
  std::uint64_t number = 0;  ///< unique per worker: one request may ask again while an earlier lease still runs
  request_id id;
  owner_id owner;
  std::shared_ptr<const tier_chain> chain;
  std::uint32_t from = 0;
  double computed_block_s = 0;  ///< what one block would take to compute; 0: not known, or nothing waits for it
  std::optional<turn_opening> opening = std::nullopt;  ///< of an admission; a prefetch opens no turn
  tenant_index tenant = 0;
};
struct lease_grant {
  std::uint64_t number = 0;
  request_id id;
  std::uint32_t from = 0;
  std::vector<std::byte*> slots;  ///< of blocks [from, from + size); when empty there is no lease to end
  std::shared_ptr<const void> keeps;
  std::vector<block_role> roles{};  ///< parallel to `slots`
};
struct lease_end {
  std::uint64_t number = 0;
};
/// As a lease_request for nothing: it is not answered.
struct chain_touch {
  owner_id owner;
  std::shared_ptr<const tier_chain> chain;
  std::optional<turn_opening> opening;
};

/// How the answer to a turn ended that a lease_request or chain_touch has opened. Not answered.
struct turn_closing {
  owner_id owner;
  turn_finish how;
  std::vector<told_role> roles{};  ///< of its answer's blocks
};
/// The device may soon give up what this turn has left there, or keeps it as it does while the turn runs: then its copies are worth less
/// than others.
struct turn_outlook {
  owner_id owner;
  std::optional<std::uint64_t> turn;  ///< nothing: all of its turns
  bool is_leaving = true;
};

}  // namespace troupe::core
