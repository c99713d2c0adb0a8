// Numbered items in the order of keys that change, the least first; once more within each tenant, when tenants have bounds: the least of all,
// and the least of one. An item belongs to one tenant as long as it is here. Going through the first ones costs a step each, which is asked far
// more often than keys change; ties go by number.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::core {

template <class Key>
class tenant_order {
 public:
  explicit tenant_order(std::size_t tenants = 0) : own_(tenants) {}
  tenant_order(const tenant_order&) = delete;  // places would stay behind
  tenant_order& operator=(const tenant_order&) = delete;

  [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::uint32_t first() const { return all_.begin()->item; }
  [[nodiscard]] const Key& key(std::uint32_t item) const { return places_[item]->key; }
  [[nodiscard]] bool contains(std::uint32_t item) const { return item < places_.size() && places_[item] != all_.end(); }
  /// Visits items, the least key first, while `visit(item)` is true. No key may change meanwhile.
  template <class Visit>
  void visit_in_order(Visit visit) const {
    for (const entry& each : all_)
      if (!visit(each.item)) return;
  }

  /// Of a tenant that has no order of its own, nothing is here.
  [[nodiscard]] bool empty(tenant_index tenant) const noexcept { return tenant >= own_.size() || own_[tenant].empty(); }
  [[nodiscard]] std::uint32_t first(tenant_index tenant) const { return own_[tenant].begin()->item; }

  /// Adds the item, or changes its key.
  void put(std::uint32_t item, const Key& key, tenant_index tenant) {
    if (item >= places_.size()) places_.resize(std::size_t{item} + 1, all_.end());
    auto& place = places_[item];
    if (place == all_.end()) {
      place = all_.insert({key, item}).first;
      if (tenant < own_.size()) own_[tenant].insert({key, item});
      return;
    }
    if (place->key == key) return;
    if (tenant < own_.size()) move(own_[tenant], own_[tenant].find(*place), key);
    place = move(all_, place, key);
  }

  void erase(std::uint32_t item, tenant_index tenant) {
    if (!contains(item)) return;
    if (tenant < own_.size()) own_[tenant].erase(*places_[item]);
    all_.erase(places_[item]);
    places_[item] = all_.end();
  }

 private:
  struct entry {
    Key key;
    std::uint32_t item = 0;
    auto operator<=>(const entry&) const = default;
  };
  using ordered = std::set<entry>;

  /// Without giving its memory back and asking for it again.
  static typename ordered::iterator move(ordered& in, typename ordered::iterator from, const Key& key) {
    auto node = in.extract(from);
    node.value().key = key;
    return in.insert(std::move(node)).position;
  }

  ordered all_;
  std::vector<typename ordered::iterator> places_;
  std::vector<ordered> own_;  // as large as what is in them, however many tenants there are
};

}  // namespace troupe::core
