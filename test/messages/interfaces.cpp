// Each typed interface between two actor systems: reached by its type, spoken to in full, and the handles inside messages used.
#include "messages/interfaces.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "test/messages/samples.hpp"
#include "test/messages/two_systems.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class T>
T sample() {
  return samples::make<T>();
}

/// An actor that hands on what it is told, so that a test can wait for it.
template <class Handle, class... Ts>
typename Handle::behavior_type teller(typename Handle::pointer, caf::actor to) {
  return {[to](const Ts& value) { caf::anon_send(to, value); }...};
}

const auto turn_sink = teller<turn_sink_actor, turn_started, turn_delta, turn_finished>;
const auto sequence_sink = teller<sequence_sink_actor, sequence_progress>;
const auto session_registry = teller<session_registry_actor, session_record, intent_record, session_gone>;
const auto shard_sink = teller<shard_sink_actor, block_events, load_report>;

session_kin_actor::behavior_type session_kin() {
  return {[](const session_verb& verb) { return verb_answer{verb.id, verb_outcome::clipped, "kin", 3}; }};
}

session_actor::behavior_type session(session_actor::pointer self, caf::actor witness) {
  return {
      [self](const turn_request& request, const turn_sink_actor& sink) {
        self->send(sink, sample<turn_started>());
        self->send(sink, sample<turn_delta>());
        self->send(sink, sample<turn_finished>());
        return request.id;
      },
      [witness](const turn_cancel& cancel) { caf::anon_send(witness, cancel); },
      [](const session_verb&) { return sample<verb_answer>(); },
      [](const session_find&) { return sample<session_info>(); },
      [self, witness](const session_child&, const session_kin_actor& kin) {
        self->request(kin, patience, sample<session_verb>())
            .then([witness](const verb_answer& answer) { caf::anon_send(witness, answer); }, [](const caf::error&) {});
      },
      [witness](const sequence_progress& progress) { caf::anon_send(witness, progress); },
  };
}

session_directory_actor::behavior_type directory(session_directory_actor::pointer, session_actor child, caf::actor witness) {
  return {
      [child](const session_spawn&) {
        return caf::result<session_info, session_actor>{sample<session_info>(), child};
      },
      [](const session_find&) { return sample<session_info>(); },
      [](const session_list&) { return sample<session_listing>(); },
      [](const session_verb&) { return sample<verb_answer>(); },
      [](const drain_request&) { return sample<drain_done>(); },
      [witness](const session_record& record) { caf::anon_send(witness, record); },
      [witness](const intent_record& intent) { caf::anon_send(witness, intent); },
      [witness](const session_gone& gone) { caf::anon_send(witness, gone); },
  };
}

worker_actor::behavior_type worker(worker_actor::pointer self, caf::actor witness) {
  return {
      [self](const admit_request& request, const sequence_sink_actor& sink) {
        self->send(sink, sample<sequence_progress>());
        return request.id;
      },
      [witness](const sequence_cancel& cancel) { caf::anon_send(witness, cancel); },
      [](const turn_outcome&) { return sample<pause_forecast>(); },
      [](const owner_intent&) { return sample<intent_applied>(); },
      [witness](const owner_forget& forgotten) { caf::anon_send(witness, forgotten); },
      [](const owner_release&) { return sample<owner_released>(); },
      [](const owner_demote&) { return sample<owner_demoted>(); },
      [](const prefetch_request&) { return sample<prefetch_done>(); },
      [](const worker_status_request&) { return sample<worker_status>(); },
      [self](const shard_joined&, const shard_sink_actor& sink) {
        self->send(sink, sample<block_events>());
        self->send(sink, sample<load_report>());
      },
      [witness](const snapshot_request& request) { caf::anon_send(witness, request); },
  };
}

tier_actor::behavior_type tier(tier_actor::pointer self, caf::actor witness) {
  return {
      [](const owner_release&) { return sample<owner_released>(); },
      [](const tier_status_request&) { return sample<tier_status>(); },
      [self](const shard_joined&, const shard_sink_actor& sink) { self->send(sink, sample<block_events>()); },
      [witness](const snapshot_request& request) { caf::anon_send(witness, request); },
  };
}

struct shard_state {
  shard_state() = default;  // C++20 would else make an aggregate of the actor pointer that CAF offers
  worker_actor worker;
};

router_shard_actor::behavior_type router_shard(router_shard_actor::stateful_pointer<shard_state> self, caf::actor witness) {
  return {
      [self](const route_request&) {
        return caf::result<route_grant, worker_actor>{sample<route_grant>(), self->state.worker};
      },
      [witness](const route_end& end) { caf::anon_send(witness, end); },
      [self, witness](const worker_joined& joined, const worker_actor& handle) {
        self->state.worker = handle;
        caf::anon_send(witness, joined);
      },
      [witness](const tier_joined& joined, const tier_actor&) { caf::anon_send(witness, joined); },
      [witness](const block_events& events) { caf::anon_send(witness, events); },
      [witness](const load_report& report) { caf::anon_send(witness, report); },
  };
}

template_renderer_actor::behavior_type template_renderer() {
  return {[](const render_request&) { return sample<render_result>(); }};
}

trace_actor::behavior_type trace(trace_actor::pointer, caf::actor witness) {
  return {
      [witness](const turn_record& record) { caf::anon_send(witness, record); },
      [witness](const lifecycle_record& record) { caf::anon_send(witness, record); },
      [witness](const pause_record& record) { caf::anon_send(witness, record); },
      [](const metrics_request&) { return sample<metrics_text>(); },
  };
}

node_actor::behavior_type node(session_directory_actor child) {
  return {
      [child](const directory_request&) { return child; },
      [](const node_status_request&) { return sample<node_status>(); },
      [](const metrics_request&) { return sample<metrics_text>(); },
      [](const drain_request&) { return sample<drain_done>(); },
  };
}

/// Two joined systems, each with a place where the messages of its actors arrive.
struct cluster {
  alarm_guard guard;
  side<> server, client;
  caf::scoped_actor there{server.system}, here{client.system};

  caf::actor witness_there() { return caf::actor{there}; }
  caf::actor witness_here() { return caf::actor{here}; }
  /// Publishes at the server, reaches from the client.
  template <class Handle>
  Handle across(Handle actor) {
    return client.reach<Handle>(server.publish(server.keep(actor)));
  }
};

template <class T>
void check_arrives(caf::scoped_actor& at) {
  bool arrived = false;
  at->receive([&](const T& value) { arrived = value == sample<T>(); }, caf::after(patience) >> [] {});
  CHECK(arrived);
}

template <class T, class Handle>
void check_told(cluster& pair, const Handle& actor) {
  pair.here->send(actor, sample<T>());
  check_arrives<T>(pair.there);
}

}  // namespace

TEST_CASE("the sinks are told from another system") {
  cluster pair;
  const auto turns = pair.across(pair.server.system.spawn(turn_sink, pair.witness_there()));
  check_told<turn_started>(pair, turns);
  check_told<turn_delta>(pair, turns);
  check_told<turn_finished>(pair, turns);
  check_told<sequence_progress>(pair, pair.across(pair.server.system.spawn(sequence_sink, pair.witness_there())));
  const auto registry = pair.across(pair.server.system.spawn(session_registry, pair.witness_there()));
  check_told<session_record>(pair, registry);
  check_told<intent_record>(pair, registry);
  check_told<session_gone>(pair, registry);
  const auto shard = pair.across(pair.server.system.spawn(shard_sink, pair.witness_there()));
  check_told<block_events>(pair, shard);
  check_told<load_report>(pair, shard);
}

TEST_CASE("a session in another system streams to the sink it was handed and asks the kin it was told of") {
  cluster pair;
  const auto peer = pair.across(pair.server.system.spawn(session, pair.witness_there()));
  const auto sink = pair.client.keep(pair.client.system.spawn(turn_sink, pair.witness_here()));
  CHECK(ask<request_id>(pair.here, peer, sample<turn_request>(), sink) == sample<turn_request>().id);
  check_arrives<turn_started>(pair.here);
  check_arrives<turn_delta>(pair.here);
  check_arrives<turn_finished>(pair.here);
  CHECK(ask<verb_answer>(pair.here, peer, sample<session_verb>()) == sample<verb_answer>());
  CHECK(ask<session_info>(pair.here, peer, sample<session_find>()) == sample<session_info>());
  check_told<turn_cancel>(pair, peer);
  check_told<sequence_progress>(pair, peer);

  pair.here->send(peer, sample<session_child>(), pair.client.keep(pair.client.system.spawn(session_kin)));
  verb_answer answer;
  pair.there->receive([&](const verb_answer& value) { answer = value; }, caf::after(patience) >> [] {});
  CHECK(answer == verb_answer{sample<session_verb>().id, verb_outcome::clipped, "kin", 3});
}

TEST_CASE("kin in another system answer a verb") {
  cluster pair;
  const auto kin = pair.across(pair.server.system.spawn(session_kin));
  CHECK(ask<verb_answer>(pair.here, kin, sample<session_verb>()).detail == "kin");
}

TEST_CASE("a worker in another system streams to the sinks it was handed") {
  cluster pair;
  const auto peer = pair.across(pair.server.system.spawn(worker, pair.witness_there()));
  const auto sink = pair.client.keep(pair.client.system.spawn(sequence_sink, pair.witness_here()));
  CHECK(ask<request_id>(pair.here, peer, sample<admit_request>(), sink) == sample<admit_request>().id);
  check_arrives<sequence_progress>(pair.here);
  CHECK(ask<owner_released>(pair.here, peer, sample<owner_release>()) == sample<owner_released>());
  CHECK(ask<owner_demoted>(pair.here, peer, sample<owner_demote>()) == sample<owner_demoted>());
  CHECK(ask<prefetch_done>(pair.here, peer, sample<prefetch_request>()) == sample<prefetch_done>());
  CHECK(ask<worker_status>(pair.here, peer, worker_status_request{}) == sample<worker_status>());
  CHECK(ask<pause_forecast>(pair.here, peer, sample<turn_outcome>()) == sample<pause_forecast>());
  CHECK(ask<intent_applied>(pair.here, peer, sample<owner_intent>()) == sample<intent_applied>());
  check_told<owner_forget>(pair, peer);
  check_told<sequence_cancel>(pair, peer);
  check_told<snapshot_request>(pair, peer);
  pair.here->send(peer, sample<shard_joined>(), pair.client.keep(pair.client.system.spawn(shard_sink, pair.witness_here())));
  check_arrives<block_events>(pair.here);
  check_arrives<load_report>(pair.here);
}

TEST_CASE("a tier in another system answers, and tells the sinks it was handed") {
  cluster pair;
  const auto peer = pair.across(pair.server.system.spawn(tier, pair.witness_there()));
  CHECK(ask<owner_released>(pair.here, peer, sample<owner_release>()) == sample<owner_released>());
  CHECK(ask<tier_status>(pair.here, peer, tier_status_request{}) == sample<tier_status>());
  check_told<snapshot_request>(pair, peer);
  pair.here->send(peer, sample<shard_joined>(), pair.client.keep(pair.client.system.spawn(shard_sink, pair.witness_here())));
  check_arrives<block_events>(pair.here);
  const auto shard = pair.across(pair.server.system.spawn(router_shard, pair.witness_there()));
  pair.here->send(shard, sample<tier_joined>(), pair.client.keep(pair.client.system.spawn(tier, pair.witness_here())));
  check_arrives<tier_joined>(pair.there);
}

TEST_CASE("a route granted by another system carries a worker that answers") {
  cluster pair;
  const auto shard = pair.across(pair.server.system.spawn(router_shard, pair.witness_there()));
  const auto near = pair.client.keep(pair.client.system.spawn(worker, pair.witness_here()));
  pair.here->send(shard, sample<worker_joined>(), near);
  check_arrives<worker_joined>(pair.there);
  const auto own = ask_two<route_grant, worker_actor>(pair.here, shard, sample<route_request>());
  CHECK(own.first == sample<route_grant>());
  CHECK(own.second == near);  // our own worker came back as itself, not as a proxy

  const auto far = pair.server.keep(pair.server.system.spawn(worker, pair.witness_there()));
  pair.here->send(shard, sample<worker_joined>(), pair.client.reach<worker_actor>(pair.server.publish(far)));
  check_arrives<worker_joined>(pair.there);
  const auto remote = ask_two<route_grant, worker_actor>(pair.here, shard, sample<route_request>());
  CHECK(ask<worker_status>(pair.here, remote.second, worker_status_request{}) == sample<worker_status>());
  check_told<route_end>(pair, shard);
  check_told<block_events>(pair, shard);
  check_told<load_report>(pair, shard);
}

TEST_CASE("a session found through another system's node and directory answers") {
  cluster pair;
  const auto child = pair.server.keep(pair.server.system.spawn(session, pair.witness_there()));
  const auto index = pair.server.keep(pair.server.system.spawn(directory, child, pair.witness_there()));
  const auto root = pair.across(pair.server.system.spawn(node, index));
  CHECK(ask<node_status>(pair.here, root, node_status_request{}) == sample<node_status>());
  CHECK(ask<metrics_text>(pair.here, root, metrics_request{}) == sample<metrics_text>());
  CHECK(ask<drain_done>(pair.here, root, sample<drain_request>()) == sample<drain_done>());

  const auto found = ask<session_directory_actor>(pair.here, root, directory_request{});
  CHECK(ask<session_listing>(pair.here, found, sample<session_list>()) == sample<session_listing>());
  CHECK(ask<session_info>(pair.here, found, sample<session_find>()) == sample<session_info>());
  CHECK(ask<verb_answer>(pair.here, found, sample<session_verb>()) == sample<verb_answer>());
  CHECK(ask<drain_done>(pair.here, found, sample<drain_request>()) == sample<drain_done>());
  check_told<session_record>(pair, found);
  check_told<intent_record>(pair, found);
  check_told<session_gone>(pair, found);

  const auto spawned = ask_two<session_info, session_actor>(pair.here, found, sample<session_spawn>());
  CHECK(spawned.first == sample<session_info>());
  CHECK(ask<session_info>(pair.here, spawned.second, sample<session_find>()) == sample<session_info>());
}

TEST_CASE("a directory is reached by its type") {
  cluster pair;
  const auto child = pair.server.keep(pair.server.system.spawn(session, pair.witness_there()));
  const auto index = pair.across(pair.server.system.spawn(directory, child, pair.witness_there()));
  CHECK(ask<session_listing>(pair.here, index, sample<session_list>()) == sample<session_listing>());
}

TEST_CASE("the renderer and the trace of another system answer and are told") {
  cluster pair;
  const auto renderer = pair.across(pair.server.system.spawn(template_renderer));
  CHECK(ask<render_result>(pair.here, renderer, sample<render_request>()) == sample<render_result>());
  const auto records = pair.across(pair.server.system.spawn(trace, pair.witness_there()));
  check_told<turn_record>(pair, records);
  check_told<lifecycle_record>(pair, records);
  check_told<pause_record>(pair, records);
  CHECK(ask<metrics_text>(pair.here, records, metrics_request{}) == sample<metrics_text>());
}

TEST_CASE("an actor reached under another interface than its own is refused") {
  cluster pair;
  const auto port = pair.server.publish(pair.server.keep(pair.server.system.spawn(session_kin)));
  CHECK_FALSE(pair.client.system.middleman().remote_actor<trace_actor>("127.0.0.1", port));
}
