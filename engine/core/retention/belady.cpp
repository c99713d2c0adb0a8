#include "engine/core/retention/belady.hpp"

#include <algorithm>
#include <stdexcept>

namespace troupe::core {

void belady_policy::turn_started(const turn_start&, instant) {
  ++now_;
  if (now_ >= future_.size()) throw std::logic_error("a request beyond the known future");
  waiting_[now_] = {};  // all that waited for this request is being used
}

std::uint32_t belady_policy::next_use(std::uint32_t depth) const {
  for (const use_run& run : future_[now_])
    if (depth >= run.from && depth < run.to) return run.next;
  return static_cast<std::uint32_t>(future_.size());
}

void belady_policy::idle(std::span<const block_index> chain, instant) {
  std::uint32_t end = static_cast<std::uint32_t>(chain.size());
  const auto wait = [&](std::uint32_t from, std::uint32_t to, std::uint32_t next) {
    bucket& into = waiting_[next];
    if (into.blocks.size() == into.gone && from < to) {
      into = {};
      heap_.push_back(next);
      std::push_heap(heap_.begin(), heap_.end());
    }
    for (std::uint32_t at = to; at-- > from;) into.blocks.push_back({chain[at], at});
  };
  const auto& runs = future_[now_];  // from the deepest to the shallowest
  const std::uint32_t used = runs.empty() ? 0 : std::min(runs.front().to, end);
  wait(used, end, static_cast<std::uint32_t>(future_.size()));
  for (const use_run& run : runs)
    if (run.from < end) wait(run.from, std::min(run.to, end), run.next);
}

void belady_policy::removed(block_index block) {
  const std::uint32_t at = farthest();
  bucket& from = waiting_[at];
  if (from.blocks.size() == from.gone || from.blocks[from.gone].block != block) throw std::logic_error("not the block that belady named");
  ++from.gone;
}

void belady_policy::demoted(stream_id, block_index, instant) { throw std::logic_error("belady knows one pool, no tiers"); }

std::uint32_t belady_policy::farthest() {
  while (!heap_.empty() && waiting_[heap_.front()].blocks.size() == waiting_[heap_.front()].gone) {
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
  }
  return heap_.empty() ? 0 : heap_.front();
}

eviction belady_policy::victim(const question& asked, instant) {
  if (asked.tenant) return {};  // the lab has no tenants
  const std::uint32_t at = farthest();
  const bucket& from = waiting_[at];
  if (from.blocks.size() == from.gone) return {};
  const kept& last = from.blocks[from.gone];
  if (asked.competing != no_stream && std::pair(next_use(asked.depth), asked.depth) >= std::pair(at, last.depth)) return {};
  return {last.block, eviction_cause::capacity};
}

}  // namespace troupe::core
