// A table that several share, with the entries of each in the order of their last use. When it is full, whoever holds most gives up its
// own oldest entry (fair_shares). It bounds nothing itself: some entries cannot be given up, and what that means is its user's to say.
#pragma once

#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/core/fair_shares.hpp"

namespace troupe::core {

template <class Item>
class fair_table {
 public:
  struct entry {
    Item item;
    const std::string* holder = nullptr;
  };
  /// Stays as it is until its entry is erased.
  using handle = typename std::list<entry>::iterator;

  /// As the newest of its holder.
  handle add(std::string_view holder, Item item) {
    auto group = groups_.find(holder);
    if (group == groups_.end()) group = groups_.emplace(holder, std::list<entry>{}).first;
    shares_.add(holder, 1);
    group->second.push_back({std::move(item), &group->first});
    return std::prev(group->second.end());
  }
  /// It was used: it becomes the newest of its holder.
  void renew(handle at) {
    auto& group = groups_.find(*at->holder)->second;
    group.splice(group.end(), group, at);
  }
  void erase(handle at) {
    const auto group = groups_.find(*at->holder);
    shares_.remove(group->first, 1);
    group->second.erase(at);
    if (group->second.empty()) groups_.erase(group);
  }

  /// The oldest of `holder` for which `fits(item)` holds. It costs a step for each that is passed over.
  template <class Fits>
  std::optional<handle> oldest(std::string_view holder, Fits fits) {
    const auto group = groups_.find(holder);
    if (group == groups_.end()) return std::nullopt;
    for (auto at = group->second.begin(); at != group->second.end(); ++at)
      if (fits(std::as_const(at->item))) return at;
    return std::nullopt;
  }
  /// What makes room for an entry that `asking` has added: the oldest that fits of whoever holds most and has one. Nothing when that would
  /// be one of a holder that has no more than `asking`, or when none fits.
  template <class Fits>
  std::optional<handle> displaced_by(std::string_view asking, Fits fits) {
    std::optional<handle> found;
    shares_.visit_givers(asking, [&](const std::string& giver) { return !(found = oldest(giver, fits)); });
    return found;
  }

  [[nodiscard]] const fair_shares& shares() const noexcept { return shares_; }
  [[nodiscard]] std::size_t size() const noexcept { return shares_.total(); }

 private:
  std::map<std::string, std::list<entry>, std::less<>> groups_;  ///< the oldest in front
  fair_shares shares_;
};

}  // namespace troupe::core
