// What many agents saw, added up: every request is counted under the one way in which it ended.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace troupe::test {

struct soak_counts {
  std::uint64_t turns = 0, answered = 0, left = 0;  ///< left: the agent closed the connection itself
  std::uint64_t cached_tokens = 0, prompt_tokens = 0, output_tokens = 0;
  std::uint64_t verbs = 0, spawns = 0, deaths = 0;
  std::map<std::string, std::uint64_t> turn_failures, verb_failures;  ///< by code
  [[nodiscard]] std::uint64_t failed() const;
  /// Of the turns that nobody left.
  [[nodiscard]] double answered_share() const;
};

class soak_report {
 public:
  template <class Change>
  void count(Change change) {
    const std::lock_guard lock(mutex_);
    change(counts_);
  }
  [[nodiscard]] soak_counts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  mutable std::mutex mutex_;
  soak_counts counts_;
};

std::string describe(const soak_counts& counts);
/// Of this process, in MiB.
double resident_mib();
/// In use, not what the allocator keeps.
double heap_mib();

}  // namespace troupe::test
