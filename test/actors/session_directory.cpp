// Who is found, who is spawned, who comes back, and what a restart remembers.
#include "actors/session_directory.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "test/support/session_stage.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using core::finish_reason;

namespace {

/// A journal file that is gone after the test.
struct journal_file {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("troupe_directory_" + std::to_string(::getpid()) + ".journal");
  journal_file() { std::filesystem::remove(path); }
  ~journal_file() { std::filesystem::remove(path); }
};

struct directory_stage : session_stage {
  explicit directory_stage(std::filesystem::path journal = {}, std::size_t sessions_max = 100) : worker(add_worker(1)) {
    actors::session_directory_setup setup;
    setup.services = services;
    setup.models = models;
    setup.journal = std::move(journal);
    setup.sessions_max = sessions_max;
    directory = track(actors::spawn_session_directory(system(), setup));
    run();
    std::tie(to, heard) = sink();
  }
  answer<session_info, session_actor> spawn_one(const std::string& id, const std::string& parent = {}) {
    return request<session_info, session_actor>(directory, session_spawn{{id}, {parent}, {}, 0});
  }
  answer<verb_answer> tell_verb(const std::string& session, const std::string& id, verb_kind what) {
    return request<verb_answer>(directory, session_verb{{session}, id, what, 0, {}});
  }
  session_info find(const std::string& id) { return request<session_info>(directory, session_find{{id}}).get(); }
  void turn(const session_actor& whom, std::uint64_t id) {
    request<request_id>(whom, text(id, "x"), to);
    say(worker, started(id, 1, 0));
    say(worker, ended(id, finish_reason::stop));
  }

  actors::session_directory_local_actor directory;
  fake_worker_place worker;
  turn_sink_actor to;
  std::shared_ptr<lines> heard;
};

}  // namespace

TEST_CASE("a session is spawned once and found afterwards") {
  directory_stage stage;
  auto first = stage.spawn_one("a");
  auto second = stage.spawn_one("a");
  CHECK(first.get<1>() == second.get<1>());
  CHECK(first.get<0>().model == model_id{"tiny"});
  CHECK(stage.find("a").incarnation == 1);
  CHECK(stage.request<session_info>(stage.directory, session_find{{"b"}}).code() == errc::not_found);
  CHECK(stage.spawn_one("").code() == errc::invalid_request);
  CHECK(stage.spawn_one(std::string(257, 'x')).code() == errc::invalid_request);
}

TEST_CASE("an unknown parent is spawned as a root, and children die with it") {
  directory_stage stage;
  auto child = stage.spawn_one("child", "parent");
  auto grandchild = stage.spawn_one("grandchild", "child");
  CHECK(stage.find("parent").children == 1);
  stage.request<request_id>(grandchild.get<1>(), stage.text(1, "x"), stage.to);
  stage.worker.script->blocks_freed = 2;
  auto died = stage.tell_verb("parent", "v1", verb_kind::die);
  REQUIRE(died.ready());
  CHECK(died.get().blocks_freed == 2);
  CHECK(*stage.heard == lines{"finished failed cancelled"});
  for (const auto* id : {"parent", "child", "grandchild"}) CHECK(stage.find(id).state == session_state::dead);
}

TEST_CASE("sessions nest up to a depth, and a wish beyond it is refused") {
  directory_stage stage(std::filesystem::path{}, 1000);
  for (std::size_t depth = 1; depth <= limits::session_depth_max; ++depth)
    CHECK(stage.spawn_one("s" + std::to_string(depth), depth == 1 ? "" : "s" + std::to_string(depth - 1)).ready());
  CHECK(stage.spawn_one("beyond", "s" + std::to_string(limits::session_depth_max)).code() == errc::invalid_request);
  CHECK(stage.spawn_one("beside", "s" + std::to_string(limits::session_depth_max - 1)).ready());
}

TEST_CASE("only a session's own actor may record it") {
  directory_stage stage;
  stage.spawn_one("a");
  auto claimed = stage.find("a");
  claimed.turns = 99;
  caf::anon_send(stage.directory, session_record{claimed});
  stage.run();
  CHECK(stage.find("a").turns == 0);
}

TEST_CASE("sessions end with the directory that spawned them") {
  directory_stage stage;
  auto ended = stage.watch(stage.spawn_one("a").get<1>());
  CHECK_FALSE(ended->has_value());
  stage.end(stage.directory);
  CHECK(ended->has_value());
}

TEST_CASE("a verb for the dead is missing, its repeat has the first outcome, and for a stranger it is not found") {
  directory_stage stage;
  stage.spawn_one("a");
  CHECK(stage.tell_verb("a", "kill", verb_kind::die).get().outcome == verb_outcome::accepted);
  CHECK(stage.tell_verb("a", "late", verb_kind::resume).get().outcome == verb_outcome::missing);
  CHECK(stage.tell_verb("a", "kill", verb_kind::die).get().outcome == verb_outcome::accepted);
  CHECK(stage.tell_verb("b", "x", verb_kind::resume).code() == errc::not_found);
}

TEST_CASE("a dead session that is named again lives anew with another owner") {
  directory_stage stage;
  auto first = stage.spawn_one("a");
  stage.turn(first.get<1>(), 1);
  stage.tell_verb("a", "kill", verb_kind::die);
  auto second = stage.spawn_one("a");
  CHECK(second.get<0>().incarnation == 2);
  CHECK(second.get<0>().turns == 0);
  stage.turn(second.get<1>(), 2);
  REQUIRE(stage.worker.script->admitted.size() == 2);
  CHECK(stage.worker.script->admitted[0].owner != stage.worker.script->admitted[1].owner);
}

TEST_CASE("a session that crashes comes back at its next turn and disturbs no other") {
  directory_stage stage;
  auto crashing = stage.spawn_one("a");
  auto other = stage.spawn_one("b");
  stage.turn(crashing.get<1>(), 1);
  stage.end(crashing.get<1>(), caf::exit_reason::unhandled_exception);
  CHECK(stage.find("a").state == session_state::dormant);
  auto again = stage.spawn_one("a");
  CHECK(again.get<1>() != crashing.get<1>());
  CHECK(again.get<0>().incarnation == 1);
  CHECK(again.get<0>().turns == 1);
  CHECK(stage.spawn_one("b").get<1>() == other.get<1>());
  stage.turn(again.get<1>(), 2);
  CHECK(stage.find("a").turns == 2);
}

TEST_CASE("after a restart the journal lists everyone as dormant or dead, and counters go on") {
  journal_file file;
  {
    directory_stage stage{file.path};
    auto parent = stage.spawn_one("parent");
    stage.spawn_one("child", "parent");
    stage.spawn_one("gone");
    stage.turn(parent.get<1>(), 1);
    stage.tell_verb("gone", "kill", verb_kind::die);
  }
  directory_stage stage{file.path};
  CHECK(stage.find("parent").state == session_state::dormant);
  CHECK(stage.find("parent").turns == 1);
  CHECK(stage.find("gone").state == session_state::dead);
  auto listing = stage.request<session_listing>(stage.directory, session_list{10, false});
  CHECK(listing.get().sessions.size() == 2);
  auto parent = stage.spawn_one("parent");
  CHECK(stage.find("parent").children == 1);
  stage.turn(parent.get<1>(), 2);
  CHECK(stage.find("parent").turns == 2);
  CHECK(stage.spawn_one("gone").get<0>().incarnation == 2);
  stage.tell_verb("parent", "kill", verb_kind::die);
  CHECK(stage.find("child").state == session_state::dead);
}

TEST_CASE("a session of one turn is listed until it is forgotten, but no restart remembers it") {
  journal_file file;
  {
    directory_stage stage(file.path);
    auto once = stage.request<session_info, session_actor>(stage.directory, session_spawn{{"once"}, {}, {}, 0, true});
    stage.turn(once.get<1>(), 1);
    CHECK(stage.find("once").turns == 1);
    stage.tell_verb("once", "end", verb_kind::die);
    CHECK(stage.find("once").state == session_state::dead);
    // One that is named after all is like any other.
    stage.request<session_info, session_actor>(stage.directory, session_spawn{{"named"}, {}, {}, 0, true});
    stage.turn(stage.spawn_one("named").get<1>(), 2);
  }
  directory_stage again(file.path);
  CHECK(again.request<session_info>(again.directory, session_find{{"once"}}).code() == errc::not_found);
  CHECK(again.find("named").turns == 1);
}

TEST_CASE("two tenants have a session of one name each, apart in turns, blocks and listings, and after a restart") {
  journal_file file;
  const std::string ours = "acme agent", theirs = "beta agent", plain = "agent";
  const auto listed = [](directory_stage& stage, const std::string& tenant) {
    std::vector<std::string> ids;
    auto listing = stage.request<session_listing>(stage.directory, session_list{10, false, tenant});
    for (const auto& info : listing.get().sessions) ids.push_back(info.id.value);
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  {
    directory_stage stage{file.path};
    std::uint64_t id = 0;
    for (const auto& name : {ours, theirs, plain, ours}) {
      auto session = stage.spawn_one(name);
      ++id;
      stage.request<request_id>(session.get<1>(), stage.text(id, "0123456789abcdef"), stage.to);
      stage.say(stage.worker, stage.started(id, 16, 0));
      stage.say(stage.worker, stage.ended(id, finish_reason::stop));
    }
    const auto& asked = stage.routes->asked;
    REQUIRE(asked.size() == 4);
    CHECK(asked[0].chain.size() == 4);
    CHECK(asked[0].chain == asked[3].chain);
    CHECK(asked[0].chain[0].hash != asked[1].chain[0].hash);
    CHECK(asked[0].chain[0].symbol != asked[1].chain[0].symbol);
    CHECK(asked[0].chain[0].hash != asked[2].chain[0].hash);
    CHECK(stage.find(ours).turns == 2);
    CHECK(stage.find(theirs).turns == 1);
    CHECK(listed(stage, "acme") == std::vector{ours});
    CHECK(listed(stage, "default") == std::vector{plain});
    CHECK(listed(stage, "").size() == 3);
    stage.tell_verb(theirs, "kill", verb_kind::die);
    CHECK(stage.find(ours).state == session_state::idle);
  }
  directory_stage stage{file.path};
  CHECK(listed(stage, "acme") == std::vector{ours});
  CHECK(listed(stage, "beta").empty());
  CHECK(stage.find(ours).turns == 2);
  CHECK(stage.find(theirs).state == session_state::dead);
}

TEST_CASE("a session has no parent of another tenant, and ids are as long as their clients may make them") {
  directory_stage stage;
  CHECK(stage.spawn_one("acme child", "beta parent").code() == errc::invalid_request);
  CHECK(stage.spawn_one("child", "beta parent").code() == errc::invalid_request);
  CHECK(stage.spawn_one("acme child", "acme parent").get<0>().parent.value == "acme parent");
  CHECK(stage.spawn_one("acme " + std::string(256, 'x')).get<0>().incarnation == 1);
  CHECK(stage.spawn_one("acme " + std::string(257, 'x')).code() == errc::invalid_request);
  CHECK(stage.spawn_one(std::string(65, 'x') + " a").code() == errc::invalid_request);
}

TEST_CASE("a listing has the most recently used first and respects its limit") {
  directory_stage stage;
  for (const auto* id : {"a", "b", "c"}) {
    stage.spawn_one(id);
    stage.advance(10ms);
  }
  auto listing = stage.request<session_listing>(stage.directory, session_list{2, true});
  REQUIRE(listing.get().sessions.size() == 2);
  CHECK(listing.get().sessions[0].id.value == "c");
  CHECK(listing.get().sessions[1].id.value == "b");
}

TEST_CASE("a full directory forgets the longest dormant session, and refuses when none is dormant") {
  directory_stage stage{{}, 2};
  stage.spawn_one("a");
  stage.spawn_one("b");
  CHECK(stage.spawn_one("c").code() == errc::queue_full);
  stage.advance(3'600'010ms, 1min);
  CHECK(stage.spawn_one("c").ready());
  CHECK(stage.request<session_info>(stage.directory, session_find{{"a"}}).code() == errc::not_found);
  CHECK(stage.find("b").state == session_state::dormant);
}

TEST_CASE("a full directory forgets sessions of the tenant that has most, and refuses that one alone") {
  directory_stage stage{{}, 4};
  stage.spawn_one("mild kept");
  stage.advance(10ms);
  for (const auto* id : {"loud a", "loud b", "loud c"}) {
    stage.spawn_one(id);
    stage.advance(10ms);
  }
  CHECK(stage.spawn_one("loud d").code() == errc::queue_full);
  CHECK(stage.spawn_one("mild new").ready());
  CHECK(stage.request<session_info>(stage.directory, session_find{{"loud a"}}).code() == errc::not_found);
  CHECK(stage.find("loud b").state == session_state::idle);
  CHECK(stage.find("mild kept").state == session_state::idle);
  CHECK(stage.spawn_one("mild third").code() == errc::queue_full);  // both have two
  CHECK(stage.spawn_one("loud d").code() == errc::queue_full);
}

TEST_CASE("a session that runs is not forgotten for another tenant, nor a parent before its children") {
  directory_stage stage{{}, 4};
  stage.spawn_one("loud parent");
  stage.spawn_one("loud child", "loud parent");
  stage.spawn_one("loud old");
  stage.advance(3'600'010ms, 1min);
  CHECK(stage.find("loud old").state == session_state::dormant);
  auto session = stage.spawn_one("loud busy");
  stage.request<request_id>(session.get<1>(), stage.text(1, "x"), stage.to);
  CHECK(stage.spawn_one("mild a").ready());
  CHECK(stage.request<session_info>(stage.directory, session_find{{"loud child"}}).code() == errc::not_found);
  CHECK(stage.spawn_one("mild b").ready());
  CHECK(stage.find("loud busy").state == session_state::generating);
  CHECK(stage.find("mild a").state == session_state::idle);
}

TEST_CASE("a drain lets turns finish until its time is up and tells the rest") {
  directory_stage stage;
  auto a = stage.spawn_one("a");
  auto b = stage.spawn_one("b");
  stage.request<request_id>(a.get<1>(), stage.text(1, "x"), stage.to);
  stage.request<request_id>(b.get<1>(), stage.text(2, "x"), stage.to);
  CHECK(stage.request<actors::directory_counts>(stage.directory, actors::directory_counts_request{}).get().turns_running == 2);
  auto drained = stage.request<drain_done>(stage.directory, drain_request{1000});
  CHECK(stage.spawn_one("c").code() == errc::draining);
  stage.say(stage.worker, stage.ended(1, finish_reason::stop));
  stage.advance(999ms);
  CHECK_FALSE(drained.ready());
  stage.advance(10ms);
  REQUIRE(drained.ready());
  CHECK(drained.get() == drain_done{1, 1});
  CHECK(stage.heard->back() == "finished failed draining");
}

TEST_CASE("new services reach every session") {
  directory_stage stage;
  auto a = stage.spawn_one("a");
  auto next = std::make_shared<router_script>();
  next->grants = stage.routes->grants;
  auto services = stage.services;
  services.router = caf::actor_cast<router_shard_actor>(stage.spawn(fake_router, next));
  stage.tell(stage.directory, services);
  stage.turn(a.get<1>(), 1);
  CHECK(next->asked.size() == 1);
  CHECK(stage.routes->asked.empty());
}

TEST_CASE("a child's first turn prefers the worker of its parent") {
  directory_stage stage;
  auto parent = stage.spawn_one("parent");
  stage.turn(parent.get<1>(), 1);
  auto child = stage.spawn_one("child", "parent");
  stage.turn(child.get<1>(), 2);
  REQUIRE(stage.routes->asked.size() == 2);
  CHECK(stage.routes->asked[1].has_parent_worker);
  CHECK(stage.routes->asked[1].parent_worker == worker_id{1});
  CHECK_FALSE(stage.routes->asked[1].has_last_worker);
}

TEST_CASE("the journal is written anew when it has outgrown what lives") {
  journal_file file;
  auto opened = actors::session_journal::open(file.path, [](actors::kept_session) {});
  REQUIRE(opened);
  session_info info{{"a"}, {}, {"tiny"}};
  info.paused_on = {std::string(4000, 'x')};
  intent_record intent{{"a"}, 1, 0, {{0, 64, core::rank_pinned, 5000}}};
  const auto all = [&](const std::function<void(const session_info&, const intent_record&)>& visit) { visit(info, intent); };
  std::uint64_t largest = 0;
  for (info.turns = 1; info.turns <= 600; ++info.turns) {
    intent.generation = info.turns;
    REQUIRE(opened->remember(info, all));
    REQUIRE(opened->remember(intent, all));
    REQUIRE(opened->settle());
    largest = std::max(largest, opened->bytes());
  }
  CHECK(largest < (1 << 20) + 8192);
  CHECK(opened->bytes() < largest);
  *opened = actors::session_journal{};  // closes the file
  info.turns = 0;
  opened = failure{};  // a journal has one owner at a time
  std::uint64_t sessions = 0;
  auto again = actors::session_journal::open(file.path, [&](const actors::kept_session& read) {
    ++sessions;
    info = read.info;
    CHECK(read.intent == intent);
  });
  REQUIRE(again);
  CHECK(sessions == 1);
  CHECK(info.turns == 600);
  CHECK(info.state == session_state::dormant);
}

TEST_CASE("what a dead session or an earlier incarnation wished is not read again, nor are wishes of a session that nobody recorded") {
  journal_file file;
  const auto nothing = [](const auto&) {};
  {
    auto opened = actors::session_journal::open(file.path, [](const actors::kept_session&) {});
    REQUIRE(opened);
    const auto remember = [&](const char* id, std::uint32_t incarnation, session_state state) {
      session_info info{{id}, {}, {"tiny"}, state, incarnation};
      REQUIRE(opened->remember(intent_record{{"nobody"}, 1, 9, {{0, 4, 80, 1}}}, nothing));
      REQUIRE(opened->remember(info, nothing));
      REQUIRE(opened->remember(intent_record{{id}, 1, 7, {{0, 4, 80, 1}}}, nothing));
    };
    remember("alive", 1, session_state::idle);
    remember("dead", 1, session_state::dead);
    remember("again", 2, session_state::idle);
  }
  std::map<std::string, std::uint64_t> generations;
  const auto read = [&](const actors::kept_session& kept) { generations[kept.info.id.value] = kept.intent.generation; };
  auto again = actors::session_journal::open(file.path, read);
  REQUIRE(again);
  CHECK(generations == std::map<std::string, std::uint64_t>{{"alive", 7}, {"dead", 0}, {"again", 0}});
}

TEST_CASE("a session that comes back from the journal wishes what it wished, with a generation after all it has told") {
  journal_file file;
  std::uint64_t told = 0;
  {
    directory_stage stage{file.path};
    auto session = stage.spawn_one("a");
    stage.spawn_one("b");
    session_verb pin{{"a"}, "p", verb_kind::pin, 0, {}, 60'000};
    CHECK(stage.request<verb_answer>(stage.directory, pin).get().outcome == verb_outcome::deferred);
    session_verb brief{{"a"}, "q", verb_kind::retain, 0, {}, 100};
    stage.request<verb_answer>(stage.directory, brief);
    stage.request<request_id>(session.get<1>(), stage.chat(1, "hi"), stage.to);
    stage.say(stage.worker, stage.ended(1, finish_reason::stop));
    REQUIRE(stage.worker.script->intents.size() == 1);
    CHECK(stage.worker.script->intents[0].wishes.size() == 2);
    told = stage.worker.script->intents[0].generation;
  }
  directory_stage stage{file.path};
  stage.advance(200ms);
  auto session = stage.spawn_one("a");
  stage.request<request_id>(session.get<1>(), stage.chat(2, "hi"), stage.to);
  REQUIRE(stage.worker.script->intents.size() == 1);
  const auto& intent = stage.worker.script->intents[0];
  REQUIRE(intent.wishes.size() == 1);  // the brief one has ended
  CHECK(intent.wishes[0].rank == core::rank_pinned);
  CHECK(intent.wishes[0].blocks == 5);
  CHECK(intent.wishes[0].ttl_ms <= 60'000);
  CHECK(intent.wishes[0].ttl_ms > 59'000);
  CHECK(intent.chain.size() == 5);
  CHECK(intent.generation > told);
  stage.say(stage.worker, stage.ended(2, finish_reason::stop));
  stage.turn(stage.spawn_one("b").get<1>(), 3);
  CHECK(stage.worker.script->intents.size() == 1);
}
