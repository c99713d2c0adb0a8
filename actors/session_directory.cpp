// The caller may hold the handle of a session that dies at this moment: its turn is answered session_dead, and asking here again finds
// the next incarnation.
#include "actors/session_directory.hpp"

#include <spdlog/spdlog.h>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/actor_defaults.hpp"
#include "actors/session_room.hpp"
#include "actors/tenant_table.hpp"
#include "messages/base/limits.hpp"
#include "messages/base/session_scope.hpp"
#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;
using verb_promise = caf::typed_response_promise<verb_answer>;

// To look through a full table costs milliseconds: whoever is refused again and again must not hold up the others with it.
constexpr std::int64_t room_pause_ms = 100;

std::int64_t unix_ms_of(session_directory_pointer self) {
  return self->state.setup.unix_offset_ms + std::chrono::duration_cast<milliseconds>(now_of(self)).count();
}

/// A session's info, or what it wishes.
template <class Record>
void remember(session_directory_pointer self, const Record& record) {
  auto& state = self->state;
  const auto all = [&](const std::function<void(const session_info&, const intent_record&)>& visit) {
    state.table.each([&](const session_entry& entry) {
      if (!entry.one_turn) visit(entry.info, entry.intent);
    });
  };
  // A full disk must not stop the agents: what is lost is their memory over a restart.
  if (auto written = state.journal.remember(record, all); !written)
    spdlog::warn("the session journal does not take a record: {}", written.error().message);
}

void forget(session_directory_pointer self, const session_id& id) {
  self->state.table.forget(id);
  self->state.journal.forget(id);
}

/// Gives the entry an actor if it has none, and its living children, so that a death reaches them.
void ensure_actor(session_directory_pointer self, session_entry& entry) {
  auto& state = self->state;
  if (entry.handle) return;
  session_setup setup;
  setup.info = entry.info;
  setup.intent = entry.intent;
  setup.home = caf::actor_cast<session_home_actor>(self);
  setup.services = state.setup.services;
  setup.models = state.setup.models;
  setup.tenant = tenant_of(entry.info.id);
  setup.tenant_number = tenant_index_of(state.setup.tenants, setup.tenant);
  setup.idle_ttl = state.setup.idle_ttl;
  setup.turns_max = state.setup.turns_per_session_max;
  setup.unix_offset_ms = state.setup.unix_offset_ms;
  if (auto* parent = state.table.find(entry.info.parent)) {
    setup.parent_worker = parent->worker;
    if (parent->handle) setup.parent = caf::actor_cast<session_parent_actor>(parent->handle);
  }
  const auto handle = spawn_session(self->system(), std::move(setup));
  self->monitor(caf::actor_cast<caf::actor>(handle));
  state.table.bind(entry, handle);
  for (const auto& id : state.table.children_of(entry.info.id)) {
    auto* child = state.table.find(id);
    if (!child) continue;
    ensure_actor(self, *child);
    self->send(handle, session_child{id}, session_kin_actor{child->handle});
  }
}

/// A server that runs for months meets more sessions than it can remember.
void make_room(session_directory_pointer self, std::string_view tenant) {
  auto& table = self->state.table;
  const auto sessions_max = self->state.setup.sessions_max;
  if (table.alive() < sessions_max) return;
  auto& sought = self->state.found_no_room_ms;
  const auto now_ms = unix_ms_of(self);
  if (const auto last = sought.find(tenant); last != sought.end() && now_ms - last->second < room_pause_ms) return;
  const auto ids = sessions_to_forget(table, tenant, sessions_max);
  if (ids.empty()) sought.insert_or_assign(std::string(tenant), now_ms);
  for (const auto& id : ids) {
    auto* entry = table.find(id);
    if (entry->handle) caf::anon_send(entry->handle, session_verb{id, {}, verb_kind::die, 0, {}});
    // Its actor may still be freeing blocks: a namesake must not own them.
    self->state.incarnations_forgotten = std::max(self->state.incarnations_forgotten, entry->info.incarnation);
    forget(self, id);
  }
}

session_info info_of_new(session_directory_pointer self, const session_spawn& spawn, const session_entry* earlier) {
  session_info info;
  info.id = spawn.id;
  info.parent = spawn.parent;
  info.model = spawn.model;
  info.incarnation = (earlier ? earlier->info.incarnation : self->state.incarnations_forgotten) + 1;
  info.created_ms = info.used_ms = unix_ms_of(self);
  return info;
}

/// The living entry of the id, with its actor; a parent that is not alive is spawned as a root.
expected<session_entry*> ensure_alive(session_directory_pointer self, const session_spawn& wish) {
  auto& state = self->state;
  if (auto* known = state.table.find(wish.id); known && !known->dead()) {
    known->one_turn = known->one_turn && wish.one_turn;
    ensure_actor(self, *known);
    return known;
  }
  auto spawn = wish;
  if (spawn.parent == spawn.id) spawn.parent = {};
  auto model = state.setup.models->resolve(spawn.model.value);
  if (!model) return failure{errc::model_not_found, "the model " + spawn.model.value + " is not served here", "model"};
  spawn.model = model->id;
  make_room(self, tenant_of(spawn.id));
  if (state.table.alive() >= state.setup.sessions_max) return failure{errc::queue_full, "too many sessions", {}};
  if (!spawn.parent.value.empty()) {
    if (state.table.depth(spawn.parent, limits::session_depth_max) >= limits::session_depth_max)
      return failure{errc::invalid_request, "sessions are nested too deep: " + std::to_string(limits::session_depth_max) + " is the most", "parent"};
    if (state.table.child_count(spawn.parent) >= limits::children_per_session_max)
      return failure{errc::queue_full, "the parent session has too many children", {}};
    auto parent = ensure_alive(self, session_spawn{spawn.parent, {}, spawn.model, spawn.priority});
    if (!parent) return parent;
  }
  auto& entry = state.table.put(info_of_new(self, spawn, state.table.find(spawn.id)));
  entry.one_turn = spawn.one_turn;
  ensure_actor(self, entry);
  if (!entry.one_turn) remember(self, entry.info);
  if (auto* parent = state.table.find(spawn.parent)) self->send(parent->handle, session_child{spawn.id}, session_kin_actor{entry.handle});
  return &entry;
}

caf::result<session_info, session_actor> take_spawn(session_directory_pointer self, const session_spawn& spawn) {
  if (self->state.drain.begun) return make_error(errc::draining, "the node is shutting down");
  for (const auto* id : {&spawn.id, &spawn.parent})
    if (client_id_of(*id).size() > limits::session_id_bytes_max || tenant_of(*id).size() > limits::tenant_name_bytes_max)
      return make_error(errc::invalid_request, "a session id is too long", "id");
  if (spawn.id.value.empty()) return make_error(errc::invalid_request, "a session id is empty", "id");
  if (!spawn.parent.value.empty() && tenant_of(spawn.parent) != tenant_of(spawn.id))
    return make_error(errc::invalid_request, "the parent is a session of another tenant", "parent");
  auto entry = ensure_alive(self, spawn);
  if (!entry) return make_error(entry.error());
  return {(*entry)->info, session_actor{(*entry)->handle}};
}

/// Whoever asks knows it by its client's name.
caf::error no_session(const session_id& id) { return make_error(errc::not_found, "no session " + std::string(client_id_of(id)), "id"); }

verb_answer missing(const session_verb& verb) { return {verb.id, verb_outcome::missing, "the session has died", 0}; }

void keep_death_answer(session_directory_pointer self, const session_verb& verb, const verb_answer& answer) {
  auto* entry = self->state.table.find(verb.session);
  if (entry && entry->dead() && verb.what == verb_kind::die && answer.outcome == verb_outcome::accepted && !verb.id.empty())
    entry->death_answer = answer;
}

caf::result<verb_answer> take_verb(session_directory_pointer self, const session_verb& verb) {
  auto* entry = self->state.table.find(verb.session);
  if (!entry) return no_session(verb.session);
  if (entry->dead() && !entry->handle) {
    const bool again = entry->death_answer && entry->death_answer->id == verb.id;
    return again ? *entry->death_answer : missing(verb);
  }
  ensure_actor(self, *entry);
  auto promise = self->make_response_promise<verb_answer>();
  const milliseconds wait{limits::verb_wait + limits::release_wait};
  self->request(entry->handle, wait, verb)
      .then(
          [=](const verb_answer& answer) mutable {
            keep_death_answer(self, verb, answer);
            promise.deliver(answer);
          },
          [=](const caf::error& error) mutable {
            const bool gone = to_failure(error).code == errc::not_ready;
            if (gone)
              promise.deliver(missing(verb));
            else
              promise.deliver(error);
          });
  return promise;
}

/// The session's entry if the message at hand is from its own actor: a late word of an earlier incarnation must change nothing.
session_entry* entry_of_sender(session_directory_pointer self, const session_id& id) {
  auto* entry = self->state.table.find(id);
  const auto& sender = self->current_sender();
  if (!entry || !entry->handle || !sender) return nullptr;
  return entry->handle.address() == caf::actor_cast<caf::actor_addr>(sender) ? entry : nullptr;
}

void take_info(session_directory_pointer self, session_entry& entry, const session_info& info) {
  auto& table = self->state.table;
  const bool was_dead = entry.dead();
  if (!table.update(info)) return;
  // A turn that runs now is over after a restart: its record would say nothing.
  if (info.state == session_state::generating) return;
  if (entry.dead()) entry.intent = {};
  if (!entry.one_turn) remember(self, info);
  if (entry.dead() && !was_dead)
    for (const auto& id : table.mark_dead(entry)) self->state.journal.forget(id);
}

void take_record(session_directory_pointer self, const session_record& record) {
  if (auto* entry = entry_of_sender(self, record.info.id)) take_info(self, *entry, record.info);
}

void take_intent(session_directory_pointer self, const intent_record& intent) {
  auto* entry = entry_of_sender(self, intent.id);
  if (!entry || entry->dead() || entry->info.incarnation != intent.incarnation) return;
  entry->intent = intent;
  if (!entry->one_turn) remember(self, intent);
}

void take_gone(session_directory_pointer self, const session_id& id) {
  if (auto* entry = entry_of_sender(self, id)) self->state.table.unbind(*entry);
}

/// An actor ended. After session_gone that was its death; before, it crashed, and its next turn brings it back.
void take_down(session_directory_pointer self, const caf::down_msg& down) {
  auto* entry = self->state.table.find(down.source);
  if (!entry) return;
  self->state.table.unbind(*entry);
  if (entry->dead()) return;
  spdlog::error("the session {} ended without having died: {}", entry->info.id.value, to_failure(down.reason).message);
  entry->info.state = session_state::dormant;
  entry->info.paused_on.clear();
}

void take_activity(session_directory_pointer self, const session_activity& activity) {
  auto* entry = entry_of_sender(self, activity.info.id);
  if (!entry) return;
  take_info(self, *entry, activity.info);
  self->state.table.set_running(*entry, activity.turns_running);
  if (activity.has_worker) entry->worker = activity.worker;
}

void end_drain(session_directory_pointer self) {
  auto& drain = self->state.drain;
  if (drain.waiting > 0) return;
  for (auto& promise : drain.promises) promise.deliver(drain.done);
  drain.promises.clear();
}

caf::result<drain_done> take_drain(session_directory_pointer self, const drain_request& request) {
  auto& drain = self->state.drain;
  auto promise = self->make_response_promise<drain_done>();
  drain.promises.push_back(promise);
  const milliseconds within{request.within_ms};
  if (!drain.begun) {
    drain.begun = true;
    for (const auto& handle : self->state.table.handles()) {
      ++drain.waiting;
      const auto arrive = [self](const session_drained& drained) {
        auto& sum = self->state.drain;
        sum.done.turns_finished += drained.turns_finished;
        sum.done.turns_told += drained.turns_told;
        --sum.waiting;
        end_drain(self);
      };
      self->request(handle, within + milliseconds{limits::release_wait}, session_drain{false}).then(arrive, [arrive](const caf::error&) {
        arrive({});
      });
    }
  }
  self->delayed_send(caf::actor_cast<session_directory_local_actor>(self), within, directory_tick{});
  end_drain(self);
  return promise;
}

/// The time of a drain is up.
void take_tick(session_directory_pointer self) {
  for (const auto& handle : self->state.table.handles()) caf::anon_send(handle, session_drain{true});
}

void take_services(session_directory_pointer self, const session_services& services) {
  self->state.setup.services = services;
  for (const auto& handle : self->state.table.handles()) self->send(handle, services);
}

bool set_up(session_directory_pointer self, session_directory_setup setup) {
  auto& state = self->state;
  set_defaults(self, "session_directory");
  outlive_errors(self, "session_directory");
  self->set_down_handler([self](const caf::down_msg& down) { take_down(self, down); });
  state.setup = std::move(setup);
  auto opened = session_journal::open(state.setup.journal, [&](kept_session kept) {
    auto& entry = state.table.put(std::move(kept.info));
    entry.intent = std::move(kept.intent);
    if (entry.dead()) state.table.mark_dead(entry);
  });
  if (!opened) {
    self->quit(make_error(opened.error()));
    return false;
  }
  state.journal = std::move(*opened);
  return true;
}

}  // namespace

session_directory_state::~session_directory_state() {
  for (const auto& handle : table.handles()) caf::anon_send(handle, session_orphaned{});
}

session_directory_local_actor::behavior_type session_directory(session_directory_pointer self, session_directory_setup setup) {
  if (!set_up(self, std::move(setup))) return session_directory_local_actor::behavior_type::make_empty_behavior();
  return {
      [self](const session_spawn& spawn) { return take_spawn(self, spawn); },
      [self](const session_find& find) -> caf::result<session_info> {
        if (const auto* entry = self->state.table.find(find.id)) return entry->info;
        return no_session(find.id);
      },
      [self](const session_list& list) { return self->state.table.list(list); },
      [self](const session_verb& verb) { return take_verb(self, verb); },
      [self](const drain_request& request) { return take_drain(self, request); },
      [self](const session_record& record) { take_record(self, record); },
      [self](const intent_record& intent) { take_intent(self, intent); },
      [self](const session_gone& gone) { take_gone(self, gone.id); },
      [self](const session_activity& activity) { take_activity(self, activity); },
      [self](const session_services& services) { take_services(self, services); },
      [self](const directory_tick&) { take_tick(self); },
      [self](const directory_counts_request&) {
        const auto& table = self->state.table;
        directory_counts counts{{}, table.turns_running()};
        table.each([&](const session_entry& entry) { ++counts.sessions[entry.info.state]; });
        return counts;
      },
  };
}

session_directory_local_actor spawn_session_directory(caf::actor_system& system, session_directory_setup setup) {
  return system.spawn(session_directory, std::move(setup));
}

}  // namespace troupe::actors
