#include "engine/core/single_flight.hpp"

#include <algorithm>

namespace troupe::core {

std::optional<std::uint64_t> single_flight::claim(request_id turn, std::span<const std::uint64_t> missing, instant now, instant deadline) {
  expire(now);
  const auto claimed_by_other = [&](std::uint64_t id) {
    const auto found = claims_.find(id);
    return found != claims_.end() && found->second.turn != turn && found->second.deadline > now;
  };
  const auto free = std::ranges::find_if_not(missing, claimed_by_other);
  if (free != missing.begin()) return *(free - 1);
  end(turn);
  if (missing.empty()) return std::nullopt;
  lease& mine = turns_[turn];
  mine.deadline = deadline;
  for (const std::uint64_t id : missing) {
    if (claimed_by_other(id) || is_mine(id, turn)) continue;  // deeper blocks of another turn stay its own
    drop(id);
    claims_[id] = {turn, deadline};
    mine.blocks.push_back(id);
    ++mine.open;
  }
  deadlines_.push({deadline, turn});
  return std::nullopt;
}

bool single_flight::is_mine(std::uint64_t id, request_id turn) const {
  const auto found = claims_.find(id);
  return found != claims_.end() && found->second.turn == turn;
}

/// Takes one claim from its turn, and ends the lease of a turn that has none left.
void single_flight::drop(std::uint64_t id) {
  const auto found = claims_.find(id);
  if (found == claims_.end()) return;
  const auto holder = turns_.find(found->second.turn);
  claims_.erase(found);
  if (--holder->second.open == 0) turns_.erase(holder);
}

void single_flight::stored(std::uint64_t id) { drop(id); }

void single_flight::end(request_id turn) {
  const auto found = turns_.find(turn);
  if (found == turns_.end()) return;
  for (const std::uint64_t id : found->second.blocks) {
    if (is_mine(id, turn)) claims_.erase(id);
  }
  turns_.erase(found);
}

void single_flight::expire(instant now) {
  while (!deadlines_.empty() && deadlines_.top().deadline <= now) {
    const request_id turn = deadlines_.top().turn;
    deadlines_.pop();
    const auto found = turns_.find(turn);
    if (found != turns_.end() && found->second.deadline <= now) end(turn);  // it may have renewed its lease since
  }
}

bool single_flight::is_claimed(std::uint64_t id, instant now) const {
  const auto found = claims_.find(id);
  return found != claims_.end() && found->second.deadline > now;
}

}  // namespace troupe::core
