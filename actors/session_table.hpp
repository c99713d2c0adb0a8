// Every session that the directory knows, alive or dead: its info, its actor if it has one, and who its children are.
// An entry without an actor is dormant (an earlier process, or a crash) or dead; the dead are bounded, the
// oldest are forgotten, of the tenant that has most of them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "actors/session_messages.hpp"
#include "engine/core/fair_table.hpp"

namespace troupe::actors {

struct session_entry {
  session_info info;
  intent_record intent;             ///< the newest that it has told; generation 0: none
  session_local_actor handle;       ///< null: none is running
  std::optional<worker_id> worker;  ///< the last that it used
  std::uint32_t turns_running = 0;
  bool one_turn = false;            ///< nobody names it after its turn
  std::optional<verb_answer> death_answer;  ///< what the verb that killed it became

  [[nodiscard]] bool dead() const noexcept { return info.state == session_state::dead; }
};

class session_table {
 public:
  [[nodiscard]] session_entry* find(const session_id& id);
  /// Adds or replaces. A session that was dead is alive again with what `info` says.
  session_entry& put(session_info info);
  void bind(session_entry& entry, const session_local_actor& handle);
  /// The actor of an address, if it is still the one of its session.
  [[nodiscard]] session_entry* find(const caf::actor_addr& address);
  void unbind(session_entry& entry);

  /// False: the record is of an earlier incarnation, or of a session that is not known.
  bool update(const session_info& info);
  void set_running(session_entry& entry, std::uint32_t turns);
  /// Returns the ids that were forgotten to make room for this dead one.
  std::vector<session_id> mark_dead(session_entry& entry);
  void forget(const session_id& id);

  [[nodiscard]] std::size_t alive() const noexcept { return entries_.size() - dead_.size(); }
  [[nodiscard]] std::uint32_t turns_running() const noexcept { return turns_running_; }
  [[nodiscard]] std::vector<session_id> children_of(const session_id& id) const;
  [[nodiscard]] std::size_t child_count(const session_id& id) const;
  /// How many living sessions are above one another from `id` up, itself included; counts no further than `most`.
  [[nodiscard]] std::size_t depth(const session_id& id, std::size_t most) const;
  /// The most recently used first.
  [[nodiscard]] session_listing list(const session_list& wish) const;
  [[nodiscard]] std::vector<session_local_actor> handles() const;
  template <class Visitor>
  void each(Visitor visit) const {
    for (const auto& [id, entry] : entries_) visit(entry);
  }

 private:
  void unlink(const session_entry& entry);
  void raise(const session_id& id);

  std::unordered_map<session_id, session_entry> entries_;
  std::unordered_map<session_id, std::set<session_id>> children_;  ///< alive ones, by parent
  core::fair_table<session_id> dead_order_;                        ///< by tenant, as they died
  std::unordered_map<session_id, core::fair_table<session_id>::handle> dead_;
  std::uint32_t turns_running_ = 0;
  std::map<caf::actor_addr, session_id> by_address_;
};

}  // namespace troupe::actors
