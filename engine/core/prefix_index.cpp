// A tree in one array of nodes. A node's first child is linked directly, so that a lookup follows indices that lie one after another
// where a chain was stored at once; further children, and blocks whose parent is unknown, are found by hash of (parent, symbol).
#include "engine/core/prefix_index.hpp"

#include <algorithm>
#include <unordered_map>

#include "engine/core/flat_table.hpp"
#include "engine/core/holder_sets.hpp"

namespace troupe::core {

namespace {

constexpr std::uint32_t none = flat_table::none;

std::uint64_t child_key(std::uint64_t parent, std::uint64_t symbol) { return (parent ^ symbol >> 29) * 0xD6E8FEB86659FD93ULL + symbol; }

struct node {
  std::uint64_t symbol = 0, id = 0, parent = 0;
  holder_sets::set_id holders = holder_sets::empty;  ///< never empty, except in the root
  std::uint32_t child = none;                        ///< one child
  std::uint32_t others = 0;                          ///< how many more are in the child table
};

}  // namespace

struct prefix_index::state {
  state() { nodes.emplace_back(); }

  [[nodiscard]] std::uint32_t find(std::uint64_t id) const { return id == 0 ? 0 : by_id.find(id); }
  [[nodiscard]] std::uint32_t find_child(const node& parent, std::uint64_t symbol) const {
    if (parent.child != none && nodes[parent.child].symbol == symbol) return parent.child;
    if (parent.others == 0) return none;
    return children.find_if(child_key(parent.id, symbol),
                            [&](std::uint32_t at) { return nodes[at].parent == parent.id && nodes[at].symbol == symbol; });
  }
  std::uint32_t create(const entry& block, std::uint64_t parent, std::uint32_t parent_at);
  void erase(std::uint32_t at);
  void assign(std::uint32_t at, holder_sets::set_id holders);
  void to_table(std::uint32_t at) { children.insert(child_key(nodes[at].parent, nodes[at].symbol), at); }

  std::vector<node> nodes;  ///< 0: the root, before every first block
  std::vector<std::uint32_t> free_nodes;
  flat_table by_id;
  flat_table children;
  std::unordered_map<std::uint64_t, std::uint32_t> orphans;  ///< unknown parent -> its children, all in `children`
  holder_sets sets;
  std::size_t memberships = 0;
  mutable std::vector<std::uint32_t> alive;  ///< of lookup; one thread per index
};

std::uint32_t prefix_index::state::create(const entry& block, std::uint64_t parent, std::uint32_t parent_at) {
  std::uint32_t at = static_cast<std::uint32_t>(nodes.size());
  if (free_nodes.empty()) {
    nodes.emplace_back();
  } else {
    at = free_nodes.back();
    free_nodes.pop_back();
  }
  nodes[at] = {.symbol = block.symbol, .id = block.id, .parent = parent};
  if (!orphans.empty()) {
    if (const auto waiting = orphans.find(block.id); waiting != orphans.end()) {
      nodes[at].others = waiting->second;
      orphans.erase(waiting);
    }
  }
  by_id.insert(block.id, at);
  if (parent_at == none) {
    ++orphans[parent];
    to_table(at);
  } else if (nodes[parent_at].child == none) {
    nodes[parent_at].child = at;
  } else {
    ++nodes[parent_at].others;
    to_table(at);
  }
  return at;
}

void prefix_index::state::erase(std::uint32_t at) {
  const node gone = nodes[at];
  by_id.erase(gone.id, at);
  const std::uint32_t parent_at = find(gone.parent);
  if (parent_at != none && nodes[parent_at].child == at) {
    nodes[parent_at].child = none;
  } else {
    children.erase(child_key(gone.parent, gone.symbol), at);
    if (parent_at != none) {
      --nodes[parent_at].others;
    } else if (const auto waiting = orphans.find(gone.parent); waiting != orphans.end() && --waiting->second == 0) {
      orphans.erase(waiting);
    }
  }
  if (gone.child != none) to_table(gone.child);
  if (const std::uint32_t left = gone.others + (gone.child != none); left > 0) orphans[gone.id] = left;
  free_nodes.push_back(at);
}

void prefix_index::state::assign(std::uint32_t at, holder_sets::set_id holders) {
  sets.retain(holders);
  sets.release(std::exchange(nodes[at].holders, holders));
  if (holders == holder_sets::empty) erase(at);
}

prefix_index::prefix_index() : state_(std::make_unique<state>()) {}
prefix_index::~prefix_index() = default;

void prefix_index::store(holder_id holder, std::uint64_t parent, std::span<const entry> blocks) {
  state& s = *state_;
  std::uint32_t parent_at = s.find(parent);
  holder_sets::set_id before = none, after = none;  // along a chain the same change repeats
  for (const entry& block : blocks) {
    if (block.id == 0) return;  // 0 names the start of a sequence, no block
    std::uint32_t at = s.find(block.id);
    if (at == none) at = s.create(block, parent, parent_at);
    const holder_sets::set_id held = s.nodes[at].holders;
    if (held != before) {
      if (before != none) {
        s.sets.release(before);
        s.sets.release(after);
      }
      before = held;
      after = s.sets.with(held, holder);
      s.sets.retain(before);
      s.sets.retain(after);
    }
    if (after != held) {
      s.assign(at, after);
      ++s.memberships;
    }
    parent = block.id;
    parent_at = at;
  }
  if (before == none) return;
  s.sets.release(before);
  s.sets.release(after);
}

void prefix_index::remove(holder_id holder, std::span<const std::uint64_t> ids) {
  state& s = *state_;
  for (const std::uint64_t id : ids) {
    const std::uint32_t at = s.find(id);
    if (at == none || at == 0) continue;
    const holder_sets::set_id held = s.nodes[at].holders;
    const holder_sets::set_id left = s.sets.without(held, holder);
    if (left == held) continue;
    s.assign(at, left);
    --s.memberships;
  }
}

void prefix_index::remove_holder(holder_id holder) {
  state& s = *state_;
  std::vector<std::uint64_t> ids;
  for (const node& each : s.nodes) {
    if (each.holders != holder_sets::empty && s.sets.contains(each.holders, holder)) ids.push_back(each.id);
  }
  remove(holder, ids);
}

void prefix_index::lookup(std::span<const std::uint64_t> symbols, std::vector<holder_match>& matches) const {
  const state& s = *state_;
  const std::size_t base = matches.size();
  holder_sets::set_id current = holder_sets::empty;
  std::uint32_t at = 0, depth = 0;
  s.alive.clear();  // of `matches` from base on: who holds everything so far
  for (const std::uint64_t symbol : symbols) {
    at = s.find_child(s.nodes[at], symbol);
    if (at == none) break;
    const holder_sets::set_id held = s.nodes[at].holders;
    if (held != current) {
      const auto members = s.sets.members(held);
      if (depth == 0) {
        for (const holder_id holder : members) {
          s.alive.push_back(static_cast<std::uint32_t>(matches.size()));
          matches.push_back({holder, 0});
        }
      } else {
        auto member = members.begin();
        std::erase_if(s.alive, [&](std::uint32_t each) {
          const holder_id holder = matches[each].holder;
          member = std::lower_bound(member, members.end(), holder);
          if (member != members.end() && *member == holder) return false;
          matches[each].blocks = depth;
          return true;
        });
        if (s.alive.empty()) return;
      }
      current = held;
    }
    ++depth;
  }
  if (matches.size() == base) return;
  for (const std::uint32_t each : s.alive) matches[each].blocks = depth;
}

std::size_t prefix_index::blocks() const noexcept { return state_->by_id.size(); }
std::size_t prefix_index::memberships() const noexcept { return state_->memberships; }

}  // namespace troupe::core
