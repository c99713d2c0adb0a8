#include "engine/core/replay/trace.hpp"

namespace troupe::core::replay {

namespace {

std::uint64_t name_key(block_index parent, std::uint64_t symbol) {
  return ((std::uint64_t{parent} + 1) * 0xD6E8FEB86659FD93ULL) ^ (symbol + 1) * 0xA0761D6478BD642FULL;
}

}  // namespace

block_index block_forest::child(block_index parent, std::uint64_t symbol) {
  const std::uint64_t key = name_key(parent, symbol);
  const auto is_same = [&](block_index at) { return parents_[at] == parent && symbols_[at] == symbol; };
  const block_index known = names_.find_if(key, is_same);
  if (known != flat_table::none) return known;
  const block_index made = add(parent);
  symbols_.back() = symbol;
  names_.insert(key, made);
  return made;
}

block_index block_forest::add(block_index parent) {
  parents_.push_back(parent);
  symbols_.push_back(0);
  return size() - 1;
}

void block_forest::path(block_index last, std::uint32_t count, std::vector<block_index>& into) const {
  into.resize(count);
  for (std::uint32_t at = count; at-- > 0; last = parents_[last]) into[at] = last;
}

std::size_t recorded_trace::requests() const {
  std::size_t count = 0;
  for (const auto& each : sessions) count += each.requests.size();
  return count;
}

}  // namespace troupe::core::replay
