// A pool, a scheduler and the fake backend with the tier traffic before them, wired as a worker wires them, and mail to and from the tier that
// a test delivers when it likes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <variant>

#include "engine/core/host_pool.hpp"
#include "engine/core/tier_traffic.hpp"
#include "test/support/scheduler_rig.hpp"

namespace troupe::core {

struct tiered_device {
  using to_tier = std::variant<slot_request, slot_commit, lease_request, lease_end, chain_touch, turn_closing, turn_outlook>;
  using from_tier = std::variant<slot_grant, lease_grant>;

  tiered_device(const rig_options& options, std::uint64_t number, const session_gate_options& admission = {})
      : client(number), rig(options), tiers(rig.pool, rig.sched, rig.backend, admission) {}

  void settle() {
    std::vector<sequence_event> events;
    tiers.pump(rig.now, events);
    rig.take(events);
    prefetched += tiers.take_prefetched().size();
    tiers.note(rig.pool.take_events());
    auto told = tiers.take_messages(rig.now);
    for (auto& each : told.commits) out.emplace_back(std::move(each));
    for (auto& each : told.closings) out.emplace_back(std::move(each));
    for (const auto& each : told.outlooks) out.emplace_back(each);
    if (told.offer) out.emplace_back(*std::move(told.offer));
    for (auto& each : told.questions) out.emplace_back(std::move(each));
    for (auto& each : told.touches) out.emplace_back(std::move(each));
    for (auto& each : told.ends) out.emplace_back(each);
  }
  bool admit(const sequence_spec& asked) {
    const bool taken = static_cast<bool>(tiers.admit(asked, rig.now, rig.options.scheduling));
    if (taken) rig.expect(asked);
    settle();
    return taken;
  }
  void cancel(std::uint64_t id) {
    std::vector<sequence_event> events;
    tiers.cancel({id}, events);
    rig.take(events);
    settle();
  }
  void plan() {
    settle();
    rig.plan_one();
    settle();
  }
  bool complete() {
    const bool any = rig.complete_one([this](ticket_id ticket, const step_result& result) { return tiers.complete(ticket, result); });
    settle();
    return any;
  }
  void hear() {
    if (in.empty()) return;
    std::visit([this](auto& each) { tiers.granted(each); }, in.front());
    in.pop_front();
    settle();
  }
  [[nodiscard]] std::string fault() const {
    if (auto found = rig.fault(tiers.leases()); !found.empty()) return found;
    return "";
  }

  host_pool::client_id client;
  scheduler_rig rig;
  tier_traffic tiers;
  std::uint64_t prefetched = 0;
  std::deque<to_tier> out;
  std::deque<from_tier> in;
};

}  // namespace troupe::core
