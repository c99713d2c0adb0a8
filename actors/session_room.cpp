#include "actors/session_room.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "engine/core/fair_shares.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::actors {
namespace {

/// What a tenant could give up: dormant before awake, the longest unused first.
struct resting {
  using place = std::tuple<bool, std::int64_t, const session_id*>;  // (is awake, used_ms, whose)
  std::vector<place> sessions;
  std::size_t given = 0;
  std::uint64_t alive = 0;  ///< of the tenant, all of them

  /// Only as many are put in order as can be asked for.
  void sort(std::size_t most) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, sessions.size()));
    std::partial_sort(sessions.begin(), sessions.begin() + count, sessions.end(), [](const place& left, const place& right) {
      return std::tie(std::get<0>(left), std::get<1>(left), *std::get<2>(left)) <
             std::tie(std::get<0>(right), std::get<1>(right), *std::get<2>(right));
    });
  }
  [[nodiscard]] const place* next() const { return given < sessions.size() ? &sessions[given] : nullptr; }
};

using by_tenant = std::map<std::string, resting, std::less<>>;

/// Of `asking` the dormant ones alone.
by_tenant find_resting(const session_table& table, std::string_view asking) {
  by_tenant found;
  table.each([&](const session_entry& entry) {
    const auto& info = entry.info;
    if (entry.dead()) return;
    const auto tenant = tenant_of(info.id);
    auto at = found.find(tenant);
    if (at == found.end()) at = found.emplace(tenant, resting{}).first;
    ++at->second.alive;
    const bool runs = info.state == session_state::generating || entry.turns_running > 0;
    const bool is_awake = info.state != session_state::dormant;
    if (runs || (is_awake && tenant == asking) || table.child_count(info.id) > 0) return;
    at->second.sessions.emplace_back(is_awake, info.used_ms, &info.id);
  });
  return found;
}

}  // namespace

std::vector<session_id> sessions_to_forget(const session_table& table, std::string_view tenant, std::size_t sessions_max) {
  const auto most = std::max<std::size_t>(sessions_max / 8, 1);
  auto awake_left = std::max<std::size_t>(sessions_max / 100, 1);
  auto all = find_resting(table, tenant);
  core::fair_shares shares;
  for (auto& [name, each] : all) {
    each.sort(most);
    shares.add(name, each.alive);
  }
  shares.add(tenant, 1);  // the one to come
  std::vector<session_id> ids;
  while (ids.size() < most) {
    resting* giver = nullptr;
    std::string name;
    shares.visit_givers(tenant, [&](const std::string& holder) {
      const auto at = all.find(holder);
      if (at == all.end() || at->second.next() == nullptr) return true;
      giver = &at->second;
      name = holder;
      return false;
    });
    if (giver == nullptr || (std::get<0>(*giver->next()) && awake_left-- == 0)) break;
    ids.push_back(*std::get<2>(*giver->next()));
    ++giver->given;
    shares.remove(name, 1);
  }
  return ids;
}

}  // namespace troupe::actors
