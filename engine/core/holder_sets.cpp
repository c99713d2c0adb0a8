#include "engine/core/holder_sets.hpp"

#include <algorithm>
#include <ranges>

namespace troupe::core {

namespace {

/// splitmix64's finaliser: members are small and dense, their sums must not be.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ value >> 27) * 0x94D049BB133111EBULL;
  return value ^ value >> 31;
}

}  // namespace

bool holder_sets::contains(set_id set, std::uint32_t holder) const { return std::ranges::binary_search(sets_[set].members, holder); }

holder_sets::set_id holder_sets::with(set_id set, std::uint32_t holder) {
  const auto& members = sets_[set].members;
  const auto at = std::ranges::lower_bound(members, holder);
  if (at != members.end() && *at == holder) return set;
  scratch_.assign(members.begin(), at);
  scratch_.push_back(holder);
  scratch_.insert(scratch_.end(), at, members.end());
  return intern(sets_[set].hash + mix(holder));
}

holder_sets::set_id holder_sets::without(set_id set, std::uint32_t holder) {
  const auto& members = sets_[set].members;
  const auto at = std::ranges::lower_bound(members, holder);
  if (at == members.end() || *at != holder) return set;
  if (members.size() == 1) return empty;
  scratch_.assign(members.begin(), at);
  scratch_.insert(scratch_.end(), at + 1, members.end());
  return intern(sets_[set].hash - mix(holder));
}

holder_sets::set_id holder_sets::intern(std::uint64_t hash) {
  const set_id known = index_.find_if(hash, [&](set_id at) { return sets_[at].members == scratch_; });
  if (known != flat_table::none) return known;
  set_id fresh = static_cast<set_id>(sets_.size());
  if (free_.empty()) {
    sets_.emplace_back();
  } else {
    fresh = free_.back();
    free_.pop_back();
  }
  sets_[fresh].members = scratch_;
  sets_[fresh].hash = hash;
  index_.insert(hash, fresh);
  return fresh;
}

void holder_sets::release(set_id set) {
  if (set == empty || --sets_[set].references > 0) return;
  index_.erase(sets_[set].hash, set);
  sets_[set].members = {};
  free_.push_back(set);
}

}  // namespace troupe::core
