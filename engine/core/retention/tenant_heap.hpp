// A ranked_heap that keeps the same order once more within each tenant, when tenants have bounds: the least of all, and the least of one. An
// item belongs to one tenant as long as it is here. Without tenants it is a ranked_heap and nothing else.
#pragma once

#include <compare>
#include <set>

#include "engine/core/retention/ranked_heap.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

template <class Key>
class tenant_heap {
 public:
  explicit tenant_heap(std::size_t tenants = 0) : own_(tenants) {}

  [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::uint32_t first() const { return all_.first(); }
  [[nodiscard]] const Key& key(std::uint32_t item) const { return all_.key(item); }
  [[nodiscard]] bool contains(std::uint32_t item) const { return all_.contains(item); }

  /// Of a tenant that has no order of its own, nothing is here.
  [[nodiscard]] bool empty(tenant_index tenant) const noexcept { return tenant >= own_.size() || own_[tenant].empty(); }
  [[nodiscard]] std::uint32_t first(tenant_index tenant) const { return own_[tenant].begin()->item; }

  void put(std::uint32_t item, const Key& key, tenant_index tenant) {
    if (tenant < own_.size()) {
      if (all_.contains(item)) own_[tenant].erase({all_.key(item), item});
      own_[tenant].insert({key, item});
    }
    all_.put(item, key);
  }
  void erase(std::uint32_t item, tenant_index tenant) {
    if (tenant < own_.size() && all_.contains(item)) own_[tenant].erase({all_.key(item), item});
    all_.erase(item);
  }

 private:
  struct entry {
    Key key;
    std::uint32_t item = 0;
    auto operator<=>(const entry&) const = default;
  };

  ranked_heap<Key> all_;
  std::vector<std::set<entry>> own_;  // sets: as large as what is in them, however many tenants there are
};

}  // namespace troupe::core
