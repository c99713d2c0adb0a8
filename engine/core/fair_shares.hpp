// Who gives way when something that several share is full: whoever holds most of it. One holder alone may have it all. Of several none
// loses anything to one that would then hold more, so each is left its fair share: the bound over the number of those who hold something.
// All calls cost the logarithm of the number of holders.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/retention/ranked_heap.hpp"

namespace troupe::core {

class fair_shares {
 public:
  void add(std::string_view holder, std::uint64_t amount) {
    if (amount == 0) return;
    total_ += amount;
    const auto number = number_of(holder);
    place(number, amounts_[number] + amount);
  }
  /// Of what it holds, at most all.
  void remove(std::string_view holder, std::uint64_t amount) {
    const auto known = numbers_.find(holder);
    if (known == numbers_.end()) return;
    const auto number = known->second;
    amount = std::min(amount, amounts_[number]);
    total_ -= amount;
    place(number, amounts_[number] - amount);
    if (amounts_[number] > 0) return;
    ranking_.erase(number);
    free_.push_back(number);
    numbers_.erase(known);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t holders() const noexcept { return numbers_.size(); }
  [[nodiscard]] std::uint64_t held(std::string_view holder) const {
    const auto known = numbers_.find(holder);
    return known == numbers_.end() ? 0 : amounts_[known->second];
  }

  /// Whether what `holder` has, the last of it included, is to be borne where nobody can be asked to give up anything. When all together
  /// have too much, that is up to its fair share: those who have more are refused whatever they ask for next. Nobody is let above twice
  /// the bound.
  [[nodiscard]] bool is_within(std::string_view holder, std::uint64_t bound) const {
    if (total_ <= bound) return true;
    return held(holder) <= bound / std::max<std::size_t>(holders(), 1) && total_ - bound <= bound;
  }

  /// Visits those who may be asked to give something up for what `asking` holds already, while `visit(holder)` is true: whoever has more
  /// than it, the one with most first, then `asking` itself. Nothing may change meanwhile.
  template <class Visit>
  void visit_givers(std::string_view asking, Visit visit) const {
    const auto own = held(asking);
    bool goes_on = true;
    ranking_.visit_in_order([&](std::uint32_t number) {
      if (amounts_[number] <= own) return false;
      goes_on = visit(names_[number]);
      return goes_on;
    });
    if (goes_on && own > 0) visit(numbers_.find(asking)->first);
  }

 private:
  std::uint32_t number_of(std::string_view holder) {
    if (const auto known = numbers_.find(holder); known != numbers_.end()) return known->second;
    auto number = static_cast<std::uint32_t>(amounts_.size());
    if (free_.empty()) {
      amounts_.push_back(0);
      names_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    names_[number] = holder;
    numbers_.emplace(names_[number], number);
    return number;
  }
  void place(std::uint32_t number, std::uint64_t amount) {
    amounts_[number] = amount;
    ranking_.put(number, {-static_cast<std::int64_t>(amount), number});
  }

  std::map<std::string, std::uint32_t, std::less<>> numbers_;  ///< of those who hold something
  std::vector<std::string> names_;
  std::vector<std::uint64_t> amounts_;
  std::vector<std::uint32_t> free_;
  ranked_heap<std::pair<std::int64_t, std::uint32_t>> ranking_;  ///< by what each holds, negated
  std::uint64_t total_ = 0;
};

}  // namespace troupe::core
