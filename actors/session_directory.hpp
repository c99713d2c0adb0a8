// session id -> session actor. Spawns whoever is asked for, and the parents it names; brings back whoever crashed, slept through a
// restart or died, the last as a new incarnation. Sessions report to it, and it remembers for them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "actors/model_registry.hpp"
#include "actors/session.hpp"
#include "actors/session_journal.hpp"
#include "actors/session_table.hpp"

namespace troupe::actors {

struct session_directory_setup {
  session_services services;
  std::shared_ptr<const model_registry> models;
  std::filesystem::path journal;  ///< empty: nothing is remembered over a restart
  std::chrono::milliseconds idle_ttl{3'600'000};
  std::size_t sessions_max = limits::sessions_max;
  std::size_t turns_per_session_max = limits::turns_per_session_max;
  std::int64_t unix_offset_ms = 0;
  std::vector<std::string> tenants;  ///< names by tenant_index; empty: all are one to the cache
};

/// Running turns may finish; then everyone who asked is told.
struct session_directory_drain {
  bool begun = false;
  std::size_t waiting = 0;
  drain_done done;
  std::vector<caf::typed_response_promise<drain_done>> promises;
};

struct session_directory_state {
  session_directory_state() = default;
  session_directory_state(const session_directory_state&) = delete;
  session_directory_state& operator=(const session_directory_state&) = delete;
  ~session_directory_state();  ///< tells the sessions

  session_directory_setup setup;
  session_table table;
  session_journal journal;
  session_directory_drain drain;
  std::uint32_t incarnations_forgotten = 0;  ///< the highest of the living that were forgotten
  std::map<std::string, std::int64_t, std::less<>> found_no_room_ms;  ///< when it was last sought for a tenant
  const char* name = "session_directory";
};

using session_directory_pointer = session_directory_local_actor::stateful_pointer<session_directory_state>;
/// Ends with the journal's failure when it cannot be opened.
session_directory_local_actor::behavior_type session_directory(session_directory_pointer self, session_directory_setup setup);
session_directory_local_actor spawn_session_directory(caf::actor_system& system, session_directory_setup setup);

}  // namespace troupe::actors
