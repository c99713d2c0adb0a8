// Blocks that leave a device, or were computed by another worker, come back from host memory: counted in blocks, equal in every token.
#include <doctest/doctest.h>

#include "engine/core/block_role.hpp"
#include "test/node/turn_stream.hpp"
#include "test/node/whole_node.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

turn_result run(whole_node& node, const std::vector<int>& prompt, const std::string& session) {
  turn_stream turn{node.port(), completion_of(prompt, 20), {{"x-session-id", session}}};
  auto result = turn.finish();
  REQUIRE(result.done);
  REQUIRE(result.output_tokens == 20);
  return result;
}

/// The status when nothing runs and what is cached on the devices lies in the tier too.
node_status rested(whole_node& node) {
  return node.status_once([](const node_status& status) {
    std::uint32_t cached = 0;
    for (const auto& worker : status.workers) {
      if (worker.running + worker.waiting + worker.blocks_leased > 0) return false;
      cached = std::max(cached, worker.blocks_cached);
    }
    return !status.tiers.empty() && status.tiers[0].blocks_cached >= cached && status.tiers[0].blocks_leased == 0;
  });
}

}  // namespace

TEST_CASE("what one worker has computed another one onboards, and answers alike") {
  whole_node node{{.worker_keys = "blocks = 256\nblock_tokens = 16\ncount = 2\n", .sections = "[router]\nbehaviour = \"round_robin\"\n"}};
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  CHECK(first.cached_tokens == 0);
  rested(node);
  const auto second = run(node, prompt, "b");
  CHECK(second.text == first.text);
  CHECK(second.cached_tokens == 992);
  const auto status = rested(node);
  CHECK(status.workers[0].blocks_onboarded + status.workers[1].blocks_onboarded == 62);
  CHECK(status.tiers[0].blocks_read == 62);
  CHECK(status.tiers[0].kind == "host");
  for (const auto& worker : status.workers) CHECK(worker.integrity.empty());
  CHECK(status.tiers[0].integrity.empty());
}

TEST_CASE("a role comes along to the worker that onboards its block") {
  whole_node node{{.worker_keys = "blocks = 256\nblock_tokens = 16\ncount = 2\n", .sections = "[router]\nbehaviour = \"round_robin\"\n"}};
  std::string rules;
  for (int i = 0; i < 40; ++i) rules += "Rule " + std::to_string(i) + ": be brief. ";
  auto body = chat_of("What is in the kitchen?", 4);
  body["messages"].insert(body["messages"].begin(), nlohmann::json{{"role", "system"}, {"content", rules}});
  CHECK(turn_stream(node.port(), body, {{"x-session-id", "a"}}).finish().cached_tokens == 0);
  rested(node);
  CHECK(turn_stream(node.port(), body, {{"x-session-id", "b"}}).finish().cached_tokens > 160);
  const auto status = node.status_once([](const node_status& now) { return now.workers[0].blocks_cached == now.workers[1].blocks_cached; });
  const auto system = static_cast<std::size_t>(core::block_role::system);
  CHECK(status.workers[0].blocks_onboarded + status.workers[1].blocks_onboarded > 10);
  CHECK(status.workers[0].blocks_by_role.at(system) > 10);
  CHECK(status.workers[0].blocks_by_role == status.workers[1].blocks_by_role);
  CHECK(status.workers[0].blocks_by_role.at(0) == 0);
  CHECK(status.tiers[0].blocks_by_role.at(system) == status.workers[0].blocks_by_role.at(system));
}

TEST_CASE("a session that others have pushed off the device is onboarded when it returns, and its death empties the tier") {
  whole_node node{{.worker_keys = "blocks = 80\nblock_tokens = 16\n"}};
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  rested(node);
  run(node, some_tokens(1000, 2), "b");
  rested(node);
  const auto again = run(node, prompt, "a");
  CHECK(again.text == first.text);
  CHECK(again.cached_tokens == 992);
  const auto status = rested(node);
  CHECK(status.workers[0].blocks_onboarded > 0);
  CHECK(removed_by(status.workers[0].blocks_removed, core::eviction_cause::capacity) > 0);
  for (const auto* session : {"a", "b"}) CHECK(node.ask("DELETE", std::string("/v1/sessions/") + session).status == 200);
  node.status_once([](const node_status& now) {
    return now.workers[0].blocks_free == now.workers[0].blocks_total && now.tiers[0].blocks_free == now.tiers[0].blocks_total;
  });
}

TEST_CASE("a prefetch brings a session back before its turn, and a demotion lets another one have the room") {
  whole_node node{{.worker_keys = "blocks = 160\nblock_tokens = 16\n"}};
  const auto event = [&](const std::string& session, const std::string& verb) {
    const auto reply = node.ask("POST", "/v1/sessions/" + session + "/events", R"({"id": ")" + verb + R"(", "verb": ")" + verb + "\"}");
    REQUIRE(reply.status == 200);
    return nlohmann::json::parse(reply.body).at("detail").get<std::string>();
  };
  // Text, so that the session remembers its prompt: some 1,000 tokens each.
  const auto turn_of = [&](const std::string& session, const std::string& word) {
    std::string text;
    for (int i = 0; i < 160; ++i) text += word + std::to_string(i) + " ";
    turn_stream turn{node.port(), {{"model", "tiny"}, {"prompt", text}, {"max_tokens", 5}, {"temperature", 0}}, {{"x-session-id", session}}};
    auto result = turn.finish();
    REQUIRE(result.done);
    rested(node);
    return result;
  };
  const auto a = turn_of("a", "alpha");
  const auto b = turn_of("b", "bravo");
  const auto shared_by_turns = [](const turn_result& of) { return (of.prompt_tokens - 1) / 16; };
  REQUIRE(shared_by_turns(a) + shared_by_turns(b) < 158);
  // The demoted one leaves first, though the other was used longer ago.
  CHECK(event("b", "demote") == std::to_string((b.prompt_tokens + 4) / 16) + " blocks leave the device next");
  REQUIRE(shared_by_turns(a) + shared_by_turns(b) + shared_by_turns(turn_of("c", "carol")) > 162);
  const auto before = node.worker().blocks_onboarded;
  CHECK(turn_of("a", "alpha").cached_tokens == shared_by_turns(a) * 16);
  CHECK(node.worker().blocks_onboarded == before);
  event("c", "demote");
  event("a", "demote");
  CHECK(event("b", "prefetch").find(std::to_string(b.prompt_tokens / 16) + " of") == 0);
  const auto fetched = rested(node).workers[0].blocks_onboarded;
  CHECK(fetched > before);
  CHECK(turn_of("b", "bravo").cached_tokens == shared_by_turns(b) * 16);
  CHECK(node.worker().blocks_onboarded == fetched);
}

TEST_CASE("a killed host tier costs its content and no turn, and its successor is filled anew") {
  whole_node node;
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  rested(node);
  turn_stream running{node.port(), completion_of(some_tokens(500, 3), 200), {{"x-session-id", "b"}}};
  REQUIRE(running.next());
  node.kill(child::host_tier);
  CHECK(running.finish().done);
  CHECK(run(node, prompt, "a").text == first.text);
  const auto status = rested(node);
  CHECK(status.restarts == 1);
  CHECK(status.tiers[0].epoch == 2);
  CHECK(status.tiers[0].blocks_cached == status.workers[0].blocks_cached);
}

TEST_CASE("a worker that is killed is filled again from the host") {
  whole_node node;
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  rested(node);
  node.kill(child::worker);
  const auto again = run(node, prompt, "a");
  CHECK(again.text == first.text);
  CHECK(again.cached_tokens == 992);
  CHECK(rested(node).workers[0].blocks_onboarded == 62);
}

TEST_CASE("worker, host and disk tier may be killed one after the other: the prefix comes back from disk") {
  whole_node node{{.sections = "[disk_tier]\nbytes = 67108864\n"}};
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  rested(node);
  run(node, prompt, "a");
  node.status_once([](const node_status& now) { return now.tiers.size() == 2 && now.tiers[1].blocks_stored >= 62; });
  // The worker first: it would fill a new host tier from its device.
  node.kill(child::worker);
  node.kill(child::host_tier);
  node.kill(child::store_tier);
  const auto again = run(node, prompt, "a");
  CHECK(again.text == first.text);
  CHECK(again.cached_tokens == 992);
  const auto status = rested(node);
  CHECK(status.tiers.at(1).kind == "disk");
  CHECK(status.tiers.at(1).blocks_read == 62);
  CHECK(status.tiers.at(1).integrity.empty());
  CHECK(status.tiers.at(0).integrity.empty());
}

TEST_CASE("a disk folder that cannot be used costs hits and no turn") {
  whole_node node{{.sections = "[disk_tier]\nbytes = 67108864\nfolder = \"/proc/nowhere\"\n"}};
  const auto prompt = some_tokens(1000, 1);
  const auto first = run(node, prompt, "a");
  rested(node);
  CHECK(run(node, prompt, "a").text == first.text);
  const auto status = node.status();
  CHECK(status.restarts == 0);
  CHECK_FALSE(status.tiers.at(1).integrity.empty());
}
