// Bytes that several take and return from any thread, bounded together: whoever has more than its fair share of them is told so when they
// are too many (fair_shares). What is told too much is counted all the same, until it is returned.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/fair_shares.hpp"

namespace troupe::core {

class fair_budget {
 public:
  explicit fair_budget(std::uint64_t bound) : bound_(bound) {}

  /// False: too much, and the holder's doing.
  bool take(std::string_view holder, std::uint64_t amount) {
    const std::lock_guard lock(mutex_);
    shares_.add(holder, amount);
    return shares_.is_within(holder, bound_);
  }
  void give_back(std::string_view holder, std::uint64_t amount) {
    const std::lock_guard lock(mutex_);
    shares_.remove(holder, amount);
  }

  [[nodiscard]] bool is_within(std::string_view holder) const {
    const std::lock_guard lock(mutex_);
    return shares_.is_within(holder, bound_);
  }
  [[nodiscard]] std::uint64_t total() const {
    const std::lock_guard lock(mutex_);
    return shares_.total();
  }
  [[nodiscard]] bool is_over() const { return total() > bound_; }
  /// Who may be asked to return something for `asking`, in order.
  [[nodiscard]] std::vector<std::string> givers(std::string_view asking) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    shares_.visit_givers(asking, [&names](const std::string& holder) {
      names.push_back(holder);
      return true;
    });
    return names;
  }

 private:
  const std::uint64_t bound_;
  mutable std::mutex mutex_;
  fair_shares shares_;
};

}  // namespace troupe::core
