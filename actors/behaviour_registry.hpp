// Behaviours by role and name: what `[router] behaviour = "cost"` means. Filled once by register_behaviours (register.cpp), then
// only read; the node spawns what it finds here and supervises it.
#pragma once

#include <caf/fwd.hpp>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actors/router_shard.hpp"
#include "messages/base/errc.hpp"
#include "messages/interfaces.hpp"

namespace troupe::actors {

/// The behaviours that can play one role. `Factory` spawns one and returns its handle.
template <class Factory>
class role_table {
 public:
  explicit role_table(std::string role) : role_{std::move(role)} {}

  /// A second factory of one name replaces the first.
  void add(std::string name, Factory factory) { factories_.insert_or_assign(std::move(name), std::move(factory)); }

  /// Fails with invalid_request; the message lists the known names, `param` is the config path.
  [[nodiscard]] expected<Factory> find(const std::string& name) const {
    if (auto known = factories_.find(name); known != factories_.end()) return known->second;
    return failure{errc::invalid_request, "unknown " + role_ + " behaviour '" + name + "'; known are " + joined_names(),
                   role_ + ".behaviour"};
  }

 private:
  [[nodiscard]] std::string joined_names() const {
    std::string joined;
    for (const auto& [name, factory] : factories_) joined += (joined.empty() ? "" : ", ") + name;
    return joined;
  }

  std::string role_;
  std::map<std::string, Factory> factories_;
};

using router_factory = std::function<router_shard_actor(caf::actor_system&, router_setup)>;

struct behaviour_registry {
  role_table<router_factory> routers{"router"};
};

}  // namespace troupe::actors
