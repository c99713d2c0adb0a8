// Who holds what: a tree of blocks keyed by (parent, symbol), each with the set of holders. One router shard owns one, on
// one thread. A collision of 64-bit ids costs a wrong route; the worker's admission verifies tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::core {

/// A place that keeps blocks, numbered by the shard that owns the index: small and dense.
using holder_id = std::uint32_t;

struct holder_match {
  holder_id holder = 0;
  std::uint32_t blocks = 0;  ///< leading blocks held
  bool operator==(const holder_match&) const = default;
};

class prefix_index {
 public:
  prefix_index();
  ~prefix_index();

  struct entry { std::uint64_t symbol = 0; std::uint64_t id = 0; };
  /// `holder` now has the chain `blocks`, which continues `parent` (0: starts a sequence). An unknown parent is accepted; its
  /// children become reachable when it is stored.
  void store(holder_id holder, std::uint64_t parent, std::span<const entry> blocks);
  void remove(holder_id holder, std::span<const std::uint64_t> ids);
  void remove_holder(holder_id holder);
  /// Appends, per holder with at least one leading block, how many it has; by holder ascending.
  void lookup(std::span<const std::uint64_t> symbols, std::vector<holder_match>& matches) const;
  [[nodiscard]] std::size_t blocks() const noexcept;       ///< distinct
  [[nodiscard]] std::size_t memberships() const noexcept;  ///< (block, holder) pairs

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::core
