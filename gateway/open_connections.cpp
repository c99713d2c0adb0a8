#include "gateway/open_connections.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace troupe::gateway {

// An eighth: whoever comes while strangers flood the port has as long to show its key as so many take to come.
open_connections::open_connections(std::size_t most) : most_(most), strangers_most_(std::max<std::size_t>(most / 8, 1)) {}

void open_connections::add(std::uint64_t number, std::shared_ptr<connection_handle> made) {
  const std::lock_guard lock(mutex_);
  if (open_.size() >= most_) make_room();
  strangers_.push_back(number);
  open_.emplace(number, entry{std::move(made), std::nullopt, std::prev(strangers_.end())});
}

void open_connections::make_room() {
  auto given = strangers_.size() > strangers_most_ ? std::optional(strangers_.front()) : longest_idle();
  if (!given && strangers_.size() >= strangers_most_) given = strangers_.front();
  if (!given) return;
  const auto at = open_.find(*given);
  at->second.connection->cut();
  remove(at);
}

/// Of the tenants that have no fewer connections than the others on average, of the one with most that has an idle one.
std::optional<std::uint64_t> open_connections::longest_idle() const {
  std::map<std::string_view, std::pair<time_point, std::uint64_t>> longest;
  for (const auto& [number, entry] : open_) {
    if (!entry.tenant) continue;
    const auto since = entry.connection->idle_since();
    if (since == never) continue;
    const auto [at, is_first] = longest.try_emplace(*entry.tenant, since, number);
    if (!is_first) at->second = std::min(at->second, {since, number});
  }
  std::optional<std::uint64_t> found;
  known_.visit_givers({}, [&](const std::string& tenant) {
    if (known_.held(tenant) * known_.holders() < known_.total()) return false;
    if (const auto idle = longest.find(tenant); idle != longest.end()) found = idle->second.second;
    return !found;
  });
  return found;
}

bool open_connections::admit(std::uint64_t number, const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  const auto at = open_.find(number);
  if (at == open_.end()) return true;  // it is being cut
  auto& [connection, known, place] = at->second;
  leave_place(at->second);
  known_.add(tenant, 1);
  if (known_.is_within(tenant, most_)) {
    known = tenant;
    return true;
  }
  known_.remove(tenant, 1);
  known.reset();
  place = strangers_.insert(strangers_.begin(), number);  // it will close soon, and gives its place first
  return false;
}

void open_connections::leave_place(const entry& of) {
  of.tenant ? known_.remove(*of.tenant, 1) : static_cast<void>(strangers_.erase(of.place));
}

void open_connections::erase(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (const auto at = open_.find(number); at != open_.end()) remove(at);
}

void open_connections::remove(entries::iterator at) {
  leave_place(at->second);
  open_.erase(at);
  changed_.notify_all();
}

std::size_t open_connections::size() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

bool open_connections::wait_until_empty(std::chrono::milliseconds within) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, [this] { return open_.empty(); });
}

}  // namespace troupe::gateway
