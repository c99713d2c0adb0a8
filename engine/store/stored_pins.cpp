#include "engine/store/stored_pins.hpp"

#include <algorithm>

namespace troupe::store {

std::uint64_t stored_pins::apply(const stored_intent& intent) {
  const auto known = owners_.find(intent.owner);
  if (known == owners_.end() && intent.prefixes.empty()) return 0;
  auto& standing = owners_[intent.owner];
  if (intent.generation < standing.generation) return 0;
  standing.generation = intent.generation;
  for (const auto& each : std::exchange(standing.pins, {})) end(each);
  std::size_t count = 0;
  for (const auto& prefix : intent.prefixes) count = std::max<std::size_t>(count, prefix.blocks);
  std::uint64_t clipped = 0;
  for (std::size_t i = 0; i < std::min(count, intent.chain.size()); ++i) {
    unix_ms until = 0;
    for (const auto& prefix : intent.prefixes)
      if (i < prefix.blocks) until = std::max(until, prefix.until);
    if (pins_ < pins_max_)
      add(standing, intent.chain[i].hash, until);
    else
      ++clipped;
  }
  return clipped;
}

void stored_pins::add(standing_intent& to, const block_hash& hash, unix_ms until) {
  next_end_ = pins_ == 0 ? until : std::min(next_end_, until);
  ++pins_;
  to.pins.emplace_back(hash, until);
  ends_[hash].push_back(until);
  changes_.push_back(hash);
}

void stored_pins::end(const pin& gone) {
  const auto found = ends_.find(gone.first);
  auto& ends = found->second;
  ends.erase(std::ranges::find(ends, gone.second));
  if (ends.empty()) ends_.erase(found);
  --pins_;
  changes_.push_back(gone.first);
}

void stored_pins::release(owner_id owner) {
  const auto found = owners_.extract(owner);
  if (!found) return;
  for (const auto& each : found.mapped().pins) end(each);
}

void stored_pins::expire(unix_ms now) {
  if (pins_ == 0 || now < next_end_) return;
  const auto is_due = [now](const pin& each) { return each.second <= now; };
  for (auto& [owner, standing] : owners_) {
    for (const auto& each : standing.pins)
      if (is_due(each)) end(each);
    std::erase_if(standing.pins, is_due);
  }
  std::erase_if(owners_, [](const auto& each) { return each.second.pins.empty(); });
  bool is_first = true;
  for (const auto& [hash, ends] : ends_) {
    const auto soonest = std::ranges::min(ends);
    next_end_ = is_first ? soonest : std::min(next_end_, soonest);
    is_first = false;
  }
}

unix_ms stored_pins::until(const block_hash& hash) const {
  const auto found = ends_.find(hash);
  return found == ends_.end() ? 0 : std::ranges::max(found->second);
}

}  // namespace troupe::store
