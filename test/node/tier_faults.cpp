// Actors of a running node are killed while a prefix is loaded: the turn's text is what it was, and nothing stays leased.
#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include "test/node/turn_stream.hpp"
#include "test/node/whole_node.hpp"
#include "test/store/redis_servers.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

/// A Redis whose GETs wait at a gate: as long as one waits there, a load is under way.
class gated_redis {
 public:
  using words = store::test::lying_redis::words;

  ~gated_redis() { open(); }
  [[nodiscard]] const std::string& socket() const { return server_.socket(); }
  void close() {
    const std::scoped_lock lock(mutex_);
    is_open_ = false;
    arrived_ = 0;
  }
  void open() {
    const std::scoped_lock lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  bool wait_for_get() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return arrived_ > 0; });
  }
  std::size_t gets() {
    const std::scoped_lock lock(mutex_);
    return gets_;
  }

 private:
  std::string answer(const words& asked) {
    std::unique_lock lock(mutex_);
    if (asked[0] == "SET") return values_[asked[1]] = asked[2], "+OK\r\n";
    if (asked[0] == "EXISTS") return values_.contains(asked[1]) ? ":1\r\n" : ":0\r\n";
    if (asked[0] != "GET") return "+OK\r\n";
    ++arrived_;
    ++gets_;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds{20}, [this] { return is_open_; });
    const auto& value = values_[asked[1]];
    return "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> values_;
  bool is_open_ = true;
  std::size_t arrived_ = 0, gets_ = 0;
  store::test::lying_redis server_{[this](const words& asked) { return answer(asked); }};
};

/// A node whose sessions' prompts are in Redis alone.
struct loading_node {
  gated_redis redis;
  whole_node node;
  std::vector<int> prompt = some_tokens(1000, 1);
  std::string text;

  explicit loading_node(const std::string& wait_ms = "1000", const std::string& more_workers = "", const std::string& more_sections = "")
      : node{{.worker_keys = "blocks = 256\nblock_tokens = 16\n" + more_workers,
              .sections = more_sections + "[remote_tier]\nwait_ms = " + wait_ms + "\naddress = \"" + redis.socket() + "\"\n"}} {
    text = run("a").text;
    rested();
    CHECK(run("a").text == text);
    node.status_once([](const node_status& now) { return now.tiers.size() == 2 && now.tiers[1].blocks_stored >= 62; });
    empty();
  }
  /// Devices and host forget what they have.
  void empty() {
    for (std::size_t i = 0; i < node.status().workers.size(); ++i) node.kill(child::worker, i);
    node.kill(child::host_tier);
  }
  turn_stream begin(const std::string& session) { return {node.port(), completion_of(prompt, 20), {{"x-session-id", session}}}; }
  turn_result run(const std::string& session) { return begin(session).finish(); }
  node_status rested() {
    return node.status_once([](const node_status& now) {
      const auto is_busy = [](const worker_status& each) { return each.running + each.waiting + each.blocks_leased > 0; };
      return !now.workers.empty() && std::ranges::none_of(now.workers, is_busy) && now.tiers.size() == 2 && now.tiers[0].blocks_leased == 0;
    });
  }
  void check_sound() {
    const auto now = rested();
    for (const auto& worker : now.workers) CHECK(worker.integrity == "");
    for (const auto& tier : now.tiers) CHECK(tier.integrity == "");
  }
};

}  // namespace

TEST_CASE("whoever is killed while a prefix is loaded, the turn answers as it would alone and nothing stays leased") {
  for (const auto victim : {child::worker, child::host_tier, child::store_tier}) {
    CAPTURE(static_cast<int>(victim));
    loading_node world;
    world.redis.close();
    auto turn = world.begin("b");
    REQUIRE(world.redis.wait_for_get());
    world.node.kill(victim);
    world.redis.open();
    const auto& result = turn.finish();
    CHECK(result.done);
    CHECK(result.output_tokens == 20);
    CHECK(result.text == world.text);
    world.check_sound();
    CHECK(world.run("c").text == world.text);
    world.check_sound();
  }
}

TEST_CASE("sessions that start together after a restart load their prefix once") {
  // The direct router lets all of them start: no worker waits for what another one computes.
  // While Redis keeps its tier waiting, the node's status is late by its whole wait for that.
  loading_node world("5000", "count = 2\n", "[router]\nbehaviour = \"direct\"\n");
  const auto before = world.redis.gets();
  world.redis.close();
  std::vector<turn_stream> turns;
  for (const auto* session : {"b", "c", "d", "e"}) turns.push_back(world.begin(session));
  REQUIRE(world.redis.wait_for_get());
  world.node.status_once(
      [](const node_status& now) { return now.workers.size() == 2 && now.workers[0].waiting == 2 && now.workers[1].waiting == 2; });
  world.redis.open();
  for (auto& turn : turns) {
    const auto& result = turn.finish();
    CHECK(result.done);
    CHECK(result.text == world.text);
    CHECK(result.cached_tokens == 992);
  }
  CHECK(world.redis.gets() - before == 62);
  world.check_sound();
}

TEST_CASE("disk tier, host tier or worker killed at any moment of a load from disk costs no token") {
  for (const auto victim : {child::store_tier, child::host_tier, child::worker}) {
    CAPTURE(static_cast<int>(victim));
    whole_node node{{.sections = "[disk_tier]\nbytes = 67108864\n"}};
    const auto prompt = some_tokens(4000, 1);
    const auto begin = [&](const std::string& session) {
      return turn_stream{node.port(), completion_of(prompt, 20), {{"x-session-id", session}}};
    };
    const auto text = begin("a").finish().text;
    CHECK(text.size() > 0);
    node.status_once([](const node_status& now) { return now.tiers.at(0).blocks_cached >= 249; });
    CHECK(begin("a").finish().text == text);
    node.status_once([](const node_status& now) { return now.tiers.size() == 2 && now.tiers[1].blocks_stored >= 249; });
    node.kill(child::worker);
    node.kill(child::host_tier);
    auto turn = begin("b");
    node.kill(victim);
    const auto& result = turn.finish();
    CHECK(result.done);
    CHECK(result.text == text);
    const auto status = node.status_once([](const node_status& now) {
      return now.workers.size() == 1 && now.workers[0].blocks_leased == 0 && now.tiers.size() == 2 && now.tiers[0].blocks_leased == 0 &&
             now.tiers[1].blocks_leased == 0;
    });
    CHECK(status.workers[0].integrity == "");
    CHECK(status.tiers[0].integrity == "");
    CHECK(status.tiers[1].integrity == "");
    CHECK(begin("c").finish().text == text);
  }
}
