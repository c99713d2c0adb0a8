// How many blocks of a pool each tenant has, and which tenants have more than their share. A share bounds nobody while there is room: it says
// who gives way when a block must leave.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/core/retention/ranked_heap.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

struct tenant_share {
  std::string name;
  double share_max = 1;  ///< of the blocks; 1: no bound
  bool operator==(const tenant_share&) const = default;
};

/// Whether any of them is a bound.
[[nodiscard]] bool has_bounds(std::span<const tenant_share> shares);

class tenant_shares {
 public:
  /// By tenant_index. Without any, nothing is counted.
  tenant_shares(std::uint32_t block_count, std::span<const tenant_share> shares);

  /// A tenant that is not known counts as the first.
  [[nodiscard]] tenant_index known(tenant_index tenant) const noexcept { return tenant < blocks_.size() ? tenant : tenant_index{0}; }
  // Of known tenants.
  void take(tenant_index tenant) { change(tenant, 1); }
  void give(tenant_index tenant) { change(tenant, -1); }

  [[nodiscard]] bool is_bounded() const noexcept { return !bounds_.empty(); }
  /// One block more would be above its share.
  [[nodiscard]] bool is_full(tenant_index tenant) const { return blocks_[tenant] >= bounds_[tenant]; }
  /// Visits those above their share, the most blocks above first, while `visit(tenant)` is true. n visits cost n log n.
  template <class Visit>
  void visit_above(Visit visit) const {
    room_.visit_in_order([&](std::uint32_t tenant) { return room_.key(tenant) < 0 && visit(static_cast<tenant_index>(tenant)); });
  }

  [[nodiscard]] const std::vector<std::uint32_t>& blocks() const noexcept { return blocks_; }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// What it keeps in order agrees with its counts.
  [[nodiscard]] bool is_consistent() const;

 private:
  void change(tenant_index tenant, int by) {
    if (blocks_.empty()) return;
    blocks_[tenant] += static_cast<std::uint32_t>(by);
    if (is_bounded()) place(tenant);
  }
  void place(tenant_index tenant) { room_.put(tenant, std::int64_t{bounds_[tenant]} - blocks_[tenant]); }

  std::vector<std::string> names_;
  std::vector<std::uint32_t> blocks_, bounds_;  ///< bounds: empty when there is none
  ranked_heap<std::int64_t> room_;              ///< left to each tenant; below 0: above its share
};

}  // namespace troupe::core
