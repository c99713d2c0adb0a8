// Parents are linked to the living only: a child that dies is nobody's concern, and a parent that dies takes its children along.
#include "actors/session_table.hpp"

#include <algorithm>

#include "messages/base/limits.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::actors {

session_entry* session_table::find(const session_id& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

session_entry* session_table::find(const caf::actor_addr& address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : find(found->second);
}

session_entry& session_table::put(session_info info) {
  const auto id = info.id;
  raise(id);
  auto& entry = entries_[id];
  unbind(entry);
  unlink(entry);
  entry = session_entry{};
  entry.info = std::move(info);
  if (!entry.info.parent.value.empty()) children_[entry.info.parent].insert(id);
  return entry;
}

void session_table::bind(session_entry& entry, const session_local_actor& handle) {
  entry.handle = handle;
  by_address_[handle.address()] = entry.info.id;
}

void session_table::unbind(session_entry& entry) {
  if (entry.handle) by_address_.erase(entry.handle.address());
  entry.handle = session_local_actor{};
  set_running(entry, 0);
}

void session_table::unlink(const session_entry& entry) {
  const auto siblings = children_.find(entry.info.parent);
  if (siblings == children_.end()) return;
  siblings->second.erase(entry.info.id);
  if (siblings->second.empty()) children_.erase(siblings);
}

bool session_table::update(const session_info& info) {
  auto* entry = find(info.id);
  if (!entry || entry->info.incarnation != info.incarnation) return false;
  if (entry->dead() && info.state != session_state::dead) return false;
  entry->info = info;
  return true;
}

void session_table::set_running(session_entry& entry, std::uint32_t turns) {
  turns_running_ += turns - entry.turns_running;
  entry.turns_running = turns;
}

std::vector<session_id> session_table::mark_dead(session_entry& entry) {
  entry.info.state = session_state::dead;
  unlink(entry);
  const auto id = entry.info.id;  // it may be forgotten at once
  raise(id);
  dead_[id] = dead_order_.add(tenant_of(id), id);
  std::vector<session_id> forgotten;
  while (dead_order_.size() > limits::dead_sessions_remembered) {
    forgotten.push_back(dead_order_.displaced_by(tenant_of(id), [](const session_id&) { return true; }).value()->item);
    forget(forgotten.back());
  }
  return forgotten;
}

/// Of the dead, if it was one.
void session_table::raise(const session_id& id) {
  if (const auto dead = dead_.extract(id)) dead_order_.erase(dead.mapped());
}

void session_table::forget(const session_id& id) {
  auto* entry = find(id);
  if (!entry) return;
  unbind(*entry);
  unlink(*entry);
  raise(id);
  entries_.erase(id);
}

std::vector<session_id> session_table::children_of(const session_id& id) const {
  const auto found = children_.find(id);
  if (found == children_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::size_t session_table::child_count(const session_id& id) const {
  const auto found = children_.find(id);
  return found == children_.end() ? 0 : found->second.size();
}

std::size_t session_table::depth(const session_id& id, std::size_t most) const {
  std::size_t depth = 0;
  for (auto at = entries_.find(id); depth < most && at != entries_.end() && !at->second.dead(); at = entries_.find(at->second.info.parent))
    ++depth;
  return depth;
}

session_listing session_table::list(const session_list& wish) const {
  std::vector<const session_info*> chosen;
  const auto is_wanted = [&wish](const session_id& id) { return wish.tenant.empty() || tenant_of(id) == wish.tenant; };
  for (const auto& [id, entry] : entries_)
    if ((wish.with_dead || !entry.dead()) && is_wanted(id)) chosen.push_back(&entry.info);
  const auto count = std::min<std::size_t>(chosen.size(), wish.limit);
  std::partial_sort(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(count), chosen.end(), [](auto* left, auto* right) {
    return left->used_ms != right->used_ms ? left->used_ms > right->used_ms : left->id < right->id;
  });
  session_listing listing;
  for (std::size_t i = 0; i < count; ++i) listing.sessions.push_back(*chosen[i]);
  return listing;
}

std::vector<session_local_actor> session_table::handles() const {
  std::vector<session_local_actor> handles;
  for (const auto& [id, entry] : entries_)
    if (entry.handle) handles.push_back(entry.handle);
  return handles;
}

}  // namespace troupe::actors
