// What a whole node computes once and what it keeps: counted in blocks and tokens, to the last one.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/core/block_role.hpp"
#include "test/node/turn_stream.hpp"
#include "test/node/whole_node.hpp"

using namespace troupe;
using namespace troupe::test;
using nlohmann::json;

namespace {

constexpr std::uint32_t block = 16;

std::vector<int> joined(std::vector<int> first, std::size_t count, std::uint32_t seed) {
  const auto more = some_tokens(count, seed);
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

turn_result run(whole_node& node, const std::vector<int>& prompt, std::uint32_t tokens_max, const http_fields& fields) {
  turn_stream turn{node.port(), completion_of(prompt, tokens_max), fields};
  auto result = turn.finish();
  REQUIRE(result.done);
  REQUIRE(result.prompt_tokens == prompt.size());
  REQUIRE(result.output_tokens == tokens_max);
  return result;
}

/// The worker when nothing runs any more: the end of a turn reaches the client before the last lease is back.
worker_status rested(whole_node& node) {
  node.status_once([](const node_status& status) {
    const auto& worker = status.workers.at(0);
    return worker.running == 0 && worker.waiting == 0 && worker.blocks_leased == 0;
  });
  return node.worker();
}

json die(whole_node& node, const std::string& session) {
  const auto reply = node.ask("DELETE", "/v1/sessions/" + session);
  REQUIRE(reply.status == 200);
  return json::parse(reply.body);
}

}  // namespace

TEST_CASE("four siblings that start together compute their common prefix once") {
  whole_node node;
  REQUIRE(node.ask("POST", "/v1/sessions", R"({"id": "lead"})").status == 200);
  const auto prefix = some_tokens(2000, 1);
  std::vector<turn_stream> siblings;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const http_fields fields{{"x-session-id", "child" + std::to_string(i)}, {"x-parent-session-id", "lead"}};
    siblings.emplace_back(node.port(), completion_of(joined(prefix, 5, 10 + i), 1), fields);
  }
  std::vector<std::uint32_t> cached;
  for (auto& each : siblings) {
    CHECK(each.finish().done);
    cached.push_back(each.result().cached_tokens);
  }
  std::sort(cached.begin(), cached.end());
  CHECK(cached == std::vector<std::uint32_t>{0, 2000, 2000, 2000});
  const auto worker = rested(node);
  CHECK(worker.tokens_computed == 2005 + 3 * 5);
  CHECK(worker.tokens_reused == 3 * 2000);
  CHECK(worker.blocks_stored == 2000 / block);
  CHECK(worker.blocks_cached == 2000 / block);
  CHECK(worker.hash_mismatches == 0);
  CHECK(worker.integrity.empty());
  CHECK(json::parse(node.ask("GET", "/v1/sessions/lead").body).at("children") == 4);
}

TEST_CASE("siblings on two workers compute their common prefix at most once on each") {
  // Without a host tier, from which the second worker could take what the first has computed so far.
  whole_node node{{.worker_keys = "blocks = 1024\nblock_tokens = 16\ncount = 2\n", .sections = "[host_tier]\nbytes = 0\n"}};
  const auto prefix = some_tokens(2000, 1);
  std::vector<turn_stream> siblings;
  for (std::uint32_t i = 0; i < 6; ++i)
    siblings.emplace_back(node.port(), completion_of(joined(prefix, 5, 10 + i), 20),
                          http_fields{{"x-session-id", "child" + std::to_string(i)}});
  std::uint32_t cold = 0;
  for (auto& each : siblings) {
    CHECK(each.finish().done);
    cold += each.result().cached_tokens == 0 ? 1 : 0;
    CHECK((each.result().cached_tokens == 0 || each.result().cached_tokens == 2000));
  }
  CHECK((cold == 1 || cold == 2));
  const auto status = node.status();
  CHECK(status.workers.at(0).tokens_reused + status.workers.at(1).tokens_reused == (6 - cold) * 2000);
}

TEST_CASE("a second turn and a subagent take every full block of what they repeat, and a death frees what nobody shares") {
  whole_node node;
  const http_fields lead{{"x-session-id", "lead"}}, helper{{"x-session-id", "helper"}, {"x-parent-session-id", "lead"}};
  const auto first = some_tokens(100, 1);
  CHECK(run(node, first, 10, lead).cached_tokens == 0);
  // 100 of the prompt and 9 of the answer were written: the last token has no KV.
  auto worker = rested(node);
  CHECK(worker.blocks_cached == 109 / block);
  CHECK(run(node, joined(first, 40, 2), 10, lead).cached_tokens == 100 / block * block);
  worker = rested(node);
  CHECK(worker.blocks_cached == 149 / block);
  // The subagent shares the first 80 tokens: five blocks. Its own are the other three of 139 tokens.
  const std::vector<int> shared(first.begin(), first.begin() + 80);
  CHECK(run(node, joined(shared, 50, 3), 10, helper).cached_tokens == 80);
  worker = rested(node);
  CHECK(worker.blocks_cached == 9 + 3);
  CHECK(worker.blocks_free == worker.blocks_total - 12);
  CHECK(worker.tokens_reused == 96 + 80);

  CHECK(die(node, "helper").at("blocks_freed") == 3);
  worker = rested(node);
  CHECK(worker.blocks_cached == 9);
  CHECK(worker.blocks_free == worker.blocks_total - 9);
  CHECK(removed_by(worker.blocks_removed, core::eviction_cause::death) == 3);
  CHECK(die(node, "lead").at("blocks_freed") == 9);
  worker = rested(node);
  CHECK(worker.blocks_cached == 0);
  CHECK(worker.blocks_free == worker.blocks_total);
  CHECK(removed_by(worker.blocks_removed, core::eviction_cause::death) == 12);
  CHECK(removed_by(worker.blocks_removed, core::eviction_cause::capacity) == 0);
  CHECK(worker.integrity.empty());
}

TEST_CASE("what a dead parent shared lives as long as its subagent, and a subagent dies with its parent") {
  whole_node node;
  const auto prompt = some_tokens(160, 1);
  run(node, prompt, 1, {{"x-session-id", "first"}});
  run(node, prompt, 1, {{"x-session-id", "second"}});
  CHECK(rested(node).blocks_cached == 10);
  CHECK(die(node, "first").at("blocks_freed") == 0);
  CHECK(rested(node).blocks_cached == 10);
  run(node, joined(prompt, 32, 2), 1, {{"x-session-id", "grandchild"}, {"x-parent-session-id", "child"}});
  REQUIRE(node.ask("POST", "/v1/sessions", R"({"id": "child2", "parent": "second"})").status == 200);
  run(node, joined(prompt, 48, 3), 1, {{"x-session-id", "child2"}});
  CHECK(rested(node).blocks_cached == 10 + 2 + 3);
  // second's ten blocks are shared with grandchild, which is no descendant of it.
  CHECK(die(node, "second").at("blocks_freed") == 3);
  CHECK(rested(node).blocks_cached == 12);
  CHECK(node.ask("POST", "/v1/sessions/child2/events", R"({"id": "x", "verb": "resume"})").status == 409);
  CHECK(json::parse(node.ask("GET", "/v1/sessions/child2").body).at("state") == "dead");
  CHECK(die(node, "child").at("blocks_freed") == 12);
  CHECK(json::parse(node.ask("GET", "/v1/sessions/grandchild").body).at("state") == "dead");
  const auto worker = rested(node);
  CHECK(worker.blocks_free == worker.blocks_total);
  CHECK(node.status().sessions == 0);
}

TEST_CASE("a compacted session keeps what its next prompt keeps, and gives up the rest") {
  whole_node node;
  const http_fields lead{{"x-session-id", "lead"}};
  const auto prompt = some_tokens(160, 1);
  run(node, prompt, 1, lead);
  CHECK(rested(node).blocks_cached == 10);
  const auto compacted = node.ask("POST", "/v1/sessions/lead/events", R"({"id": "c1", "verb": "compact"})");
  CHECK(json::parse(compacted.body).at("outcome") == "deferred");
  CHECK(rested(node).blocks_cached == 10);
  // The new history shares the first 64 tokens, four blocks, and adds three.
  const std::vector<int> kept(prompt.begin(), prompt.begin() + 64);
  CHECK(run(node, joined(kept, 48, 2), 1, lead).cached_tokens == 64);
  CHECK(rested(node).blocks_cached == 4 + 3);
  CHECK(die(node, "lead").at("blocks_freed") == 7);
  CHECK(rested(node).blocks_free == rested(node).blocks_total);
}

namespace {

json helper_chat(const std::string& question) {
  std::string rules;
  for (int i = 0; i < 40; ++i) rules += "Rule " + std::to_string(i) + ": be brief. ";
  json messages = json::array({{{"role", "system"}, {"content", rules}}, {{"role", "user"}, {"content", question}}});
  return {{"messages", std::move(messages)}, {"max_tokens", 4}, {"temperature", 0}, {"ignore_eos", true}};
}

std::uint32_t run_helper(whole_node& node, const std::string& id, const std::string& question) {
  turn_stream turn{node.port(), helper_chat(question), {{"x-session-id", id}, {"x-parent-session-id", "lead"}}};
  const auto result = turn.finish();
  REQUIRE(result.done);
  return result.cached_tokens;
}

}  // namespace

TEST_CASE("subagents that come one after another compute their system prompt once, and its parent's death frees it") {
  whole_node node;
  REQUIRE(node.ask("POST", "/v1/sessions", R"({"id": "lead"})").status == 200);
  CHECK(run_helper(node, "first", "What is in the kitchen, and who has left it there?") == 0);
  json first;
  node.status_once([&](const node_status&) {  // a turn's end reaches its client before the directory
    first = json::parse(node.ask("GET", "/v1/sessions/first").body);
    return first.at("turns") == 1;
  });
  const auto roles = first.at("prompt_roles");
  const auto head = roles.at("system").get<std::uint32_t>() / block;
  REQUIRE(head > 10);
  const auto before = rested(node);
  CHECK(before.blocks_by_role.at(static_cast<std::size_t>(core::block_role::system)) >= head);
  CHECK(die(node, "first").at("blocks_freed") == before.blocks_cached - head);
  auto worker = rested(node);
  CHECK(worker.blocks_cached == head);
  CHECK(worker.blocks_inherited == head);
  CHECK(removed_by(worker.blocks_removed, core::eviction_cause::death) == before.blocks_cached - head);

  CHECK(run_helper(node, "second", "Nothing of the kind: tell me of the sea.") == head * block);
  static_cast<void>(rested(node));  // what is still in use is freed a moment later, and not counted
  CHECK(die(node, "second").at("blocks_freed") > 0);
  worker = rested(node);
  CHECK(worker.blocks_cached == head);
  CHECK(worker.blocks_inherited == head);  // it was the parent's already
  CHECK(die(node, "lead").at("blocks_freed") == head);
  worker = rested(node);
  CHECK(worker.blocks_free == worker.blocks_total);
  CHECK(worker.integrity.empty());
}
