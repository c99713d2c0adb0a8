// Which block leaves next. One policy serves one pool of blocks, the live one of a worker or one of the replay lab's, and is told what
// happens in it and in the agents' lives: it reads no clock and sees no future. Replaceable by name.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/instant.hpp"
#include "engine/core/retention/residency.hpp"

namespace troupe::core {

/// One agent's thread of requests, numbered by whoever tells: small and dense.
using stream_id = std::uint32_t;
inline constexpr stream_id no_stream = ~stream_id{0};

/// What a turn brought, and how its answer ended, as far as anybody knows.
enum class turn_input : std::uint8_t { unknown, person, tool_result };
enum class turn_end : std::uint8_t { unknown, tool_calls, stop, length };

struct turn_start {
  stream_id stream = no_stream;
  std::uint64_t turn = 0;  ///< names it at its finish
  turn_input input = turn_input::unknown;
  std::span<const block_index> resident;  ///< the leading blocks of its prompt that the pool has; in a lower tier, all that it has
  std::uint32_t blocks = 0;               ///< of the whole prompt
  tenant_index tenant = 0;                ///< whose stream it is
};
struct turn_finish {
  stream_id stream = no_stream;
  std::uint64_t turn = 0;
  turn_end end = turn_end::unknown;
  std::uint32_t output_tokens = 0;
  std::uint64_t tool = 0;        ///< a hash of the names of the tools it called; 0: not known
  double pause_expected_s = -1;  ///< a hint of the harness; negative: none
};

struct eviction {
  block_index block = no_block;  ///< no_block: nothing may leave
  eviction_cause cause = eviction_cause::capacity;
};

/// Whether what a stream's turn has left behind is among what leaves the pool next.
struct context_outlook {
  stream_id stream = no_stream;
  std::uint64_t turn = 0;
  bool is_leaving = false;
  std::vector<block_index> blocks;  ///< parents before children
};

/// What the next uses of a request's blocks will be: for `belady` alone.
struct use_run {
  std::uint32_t from = 0, to = 0;  ///< depths [from, to) of the path
  std::uint32_t next = 0;          ///< the number of the next request that reads them
};

class retention_policy {
 public:
  virtual ~retention_policy() = default;

  // Blocks. A chain is parents before children.
  virtual void stored(block_index block, block_index parent) = 0;          ///< in use until idle() names it
  /// Of a block that was just stored, before anything else is said of it. Not said in a pool where no tenant has a bound.
  virtual void belongs(block_index, tenant_index) {}
  virtual void busy(std::span<const block_index> chain) = 0;               ///< in use now: they cannot leave
  virtual void idle(std::span<const block_index> chain, instant now) = 0;  ///< used until now; they may leave, the last one first
  virtual void removed(block_index block) = 0;                             ///< has left, for whatever reason; it has no child
  /// In a lower tier: the block came down from the tier above. Tiers get a stream's last blocks first, so it lies before all that
  /// this one has of the stream; its parent is not here.
  virtual void demoted(stream_id stream, block_index block, instant now) = 0;
  /// The block ranks so from now on: 0 to rank_max, or rank_pinned, and rank_default until it is told otherwise (block_marks).
  virtual void ranked(block_index block, std::uint8_t rank) = 0;

  /// These idle blocks, parents before children, are no longer wanted: they leave before others, the last one first.
  virtual void give_up(std::span<const block_index> chain) = 0;

  // Streams.
  /// Said again for the same turn, it is no further turn.
  virtual void turn_started(const turn_start&, instant) {}
  /// A context of the stream begins with these resident blocks, or goes on with them behind its last one. None: in a lower tier, it has
  /// nothing of the current one.
  virtual void context(stream_id, std::span<const block_index>, instant) {}
  /// The stream's context ends before this block, which was its last.
  virtual void abandoned(stream_id, block_index, eviction_cause) {}
  /// Said again when more is known, the last word counts.
  virtual void turn_finished(const turn_finish&, instant) {}
  /// In a lower tier: the tier above may soon give up what this turn has left there, or keeps it as it does while a turn runs; no turn:
  /// all of the stream's.
  virtual void foretold(stream_id, std::optional<std::uint64_t>, bool /*is_leaving*/, instant) {}
  /// The stream ends and its number may be given to another. Blocks that were its alone are the next to leave.
  virtual void died(stream_id, eviction_cause, instant) {}

  /// It knows long before what will leave next.
  [[nodiscard]] virtual bool foresees() const noexcept { return false; }
  /// Of contexts whose outlook has changed: the next `blocks` blocks to leave are theirs, or the next `blocks + slack` no longer are and
  /// none of it has left. A turn's context begins as one that stays.
  virtual std::vector<context_outlook> take_outlooks(std::uint32_t, std::uint32_t, instant) { return {}; }

  /// As if none had been taken: whoever was told of them is gone.
  virtual void forget_outlooks() {}

  /// The next block to leave. With `competing` the pool does not need the room: the answer is no_block when what would leave is
  /// worth more than one more block, at `depth` and of this rank, of that stream. The caller removes the block and says so.
  struct question {
    stream_id competing = no_stream;
    std::uint32_t depth = 0;
    std::uint8_t rank = rank_default;
    std::optional<tenant_index> tenant = std::nullopt;  ///< of its blocks only
  };
  virtual eviction victim(const question& asked, instant now) = 0;
};

struct retention_options {
  std::uint32_t block_count = 0;  ///< block indices are below; more may come
  bool is_below = false;          ///< the pool has copies: the tier above holds a stream's blocks from its turn's start until it is `foretold` to leave
  std::size_t tenants = 0;        ///< that have bounds, of which a question may name one; 0: none does
  /// Of `belady`: the future of each request, by its number in the order of turn_started.
  std::span<const std::vector<use_run>> future = {};
};

/// "lru", "priority", "lifecycle", "belady"; null for an unknown name.
std::unique_ptr<retention_policy> make_retention_policy(std::string_view name, const retention_options& options);
std::vector<std::string_view> retention_policy_names();

}  // namespace troupe::core
