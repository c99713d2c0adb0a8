// One device over a host tier, or over nothing, whose mail is delivered at once. For tests that count what is computed and copied.
#pragma once

#include <doctest/doctest.h>

#include <memory>

#include "engine/core/host_pool.hpp"
#include "test/support/tiered_device.hpp"

namespace troupe::core {

struct device_over_host {
  explicit device_over_host(const rig_options& options, std::uint32_t host_blocks = 0, const session_gate_options& admission = {},
                            const std::string& host_policy = "lru", offload_rule rule = offload_rule::write_through)
      : device(options, 0, admission) {
    if (host_blocks == 0) return;
    auto made = host_pool::make({.block_count = host_blocks,
                                .block_tokens = options.block_tokens,
                                .block_bytes = device.rig.backend.traits().block_bytes,
                                .retention = host_policy});
    REQUIRE(made);
    host = *std::move(made);
    device.tiers.attach(host_blocks, rule);
  }

  void deliver() {
    while (!device.out.empty()) {
      const auto message = std::move(device.out.front());
      device.out.pop_front();
      std::visit([this](const auto& each) { take(each); }, message);
    }
    while (!device.in.empty()) device.hear();
  }
  /// One step and one completion; false when nothing is under way any more.
  bool step() {
    deliver();
    device.plan();
    deliver();
    const bool any = device.complete();
    deliver();
    return any || !device.rig.sched.idle() || !device.tiers.quiet();
  }
  bool finish(int steps_max = 5'000) {
    while (steps_max-- > 0)
      if (!step()) return true;
    return false;
  }
  [[nodiscard]] scheduler_load load() const { return device.rig.sched.load(); }

  tiered_device device;
  std::unique_ptr<host_pool> host;

 private:
  void take(const slot_request& request) { device.in.emplace_back(host->reserve(0, request)); }
  void take(const slot_commit& commit) { host->commit(0, commit); }
  void take(const lease_request& request) { device.in.emplace_back(host->lease(0, request)); }
  void take(const lease_end& end) { host->end(0, end); }
  void take(const chain_touch& touch) { host->touch(0, touch); }
  void take(const turn_closing& closing) { host->finish(closing); }
  void take(const turn_outlook& outlook) { host->apply(outlook); }
};

}  // namespace troupe::core
