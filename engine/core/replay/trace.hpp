// A recorded workload as the lab plays it: who asked what when. Blocks are renumbered once, densely and in the order of their first
// appearance, so that every row of a table shares one copy and walks arrays instead of hash maps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/core/flat_table.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core::replay {

/// All blocks of a trace. Equal paths from a root are one block, so a request is named by its last block alone.
class block_forest {
 public:
  /// The block that `symbol` names after `parent` (no_block: at the start of a sequence), created when it is new.
  block_index child(block_index parent, std::uint64_t symbol);
  /// A new block that nothing else will name.
  block_index add(block_index parent);

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(parents_.size()); }
  [[nodiscard]] block_index parent(block_index block) const { return parents_[block]; }
  [[nodiscard]] std::span<const block_index> parents() const noexcept { return parents_; }
  /// The blocks from the root to `last`, of which there are `count`.
  void path(block_index last, std::uint32_t count, std::vector<block_index>& into) const;
  /// Frees what only building needs.
  void finish() {
    names_ = flat_table();
    symbols_ = {};
  }

 private:
  std::vector<block_index> parents_;
  std::vector<std::uint64_t> symbols_;
  flat_table names_;
};

/// What a request brought, as far as its trace says.
enum class input_kind : std::uint8_t { unknown, person, tool_result };
/// How an answer ended.
enum class answer_end : std::uint8_t { unknown, tool_calls, stop, length };

struct recorded_request {
  double at_s = 0;       ///< from the start of the session, or of the trace where there are no sessions
  double service_s = 0;  ///< how long the answer took; 0: not recorded
  block_index last = no_block;
  std::uint32_t blocks = 0;
  std::uint32_t input_tokens = 0, output_tokens = 0;
  std::uint32_t agent = 0;  ///< of its session
  input_kind input = input_kind::unknown;
  answer_end end = answer_end::unknown;
  std::uint64_t tool = 0;  ///< what its answer called, by tool_of; 0: not recorded
};

struct recorded_session {
  std::string name;
  double begin_s = 0;                      ///< in the recorded order
  std::vector<recorded_request> requests;  ///< by time
  std::vector<std::uint32_t> parents{0};   ///< per agent; agent 0 is the lead and its own parent, any other comes after its parent
};

struct recorded_trace {
  block_forest blocks;
  std::uint32_t block_tokens = 0;
  bool has_sessions = false;  ///< false: one nameless session holds all requests
  std::vector<recorded_session> sessions;
  [[nodiscard]] std::size_t requests() const;
};

}  // namespace troupe::core::replay
