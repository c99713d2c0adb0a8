#include "actors/cache_overlap.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::actors;
using core::block_role;
using why = cache_miss_reason;

namespace {

const cache_basis basis{{"m"}, "salt", "{}", 5, 40, false, {1}};

cache_departure departure() { return {{"m"}, "salt", "{}", 6, block_role::user, block_role::user, false}; }

}  // namespace

TEST_CASE("what ended a shared prefix is the first of model, salt, compaction, tools, variables, system and messages that changed") {
  auto now = departure();
  CHECK(reason_of(basis, now) == why::input_changed);
  now.messages = 4;
  CHECK(reason_of(basis, now) == why::context_compacted);
  now.after = block_role::system;
  CHECK(reason_of(basis, now) == why::system_changed);
  now.template_arguments = R"({"city":"Rome"})";
  CHECK(reason_of(basis, now) == why::template_changed);
  now.template_arguments = R"({"enable_thinking":false})";
  CHECK(reason_of(basis, now) == why::reasoning_effort_changed);
  now.before = block_role::tools;
  CHECK(reason_of(basis, now) == why::tools_changed);
  now.is_compacted = true;
  CHECK(reason_of(basis, now) == why::context_compacted);
  now.cache_salt = "other";
  CHECK(reason_of(basis, now) == why::salt_changed);
  now.model = {"n"};
  CHECK(reason_of(basis, now) == why::model_changed);
}

TEST_CASE("reasoning that is gone is told apart from an answer that was rewritten") {
  auto now = departure();
  now.before = block_role::reasoning;
  CHECK(reason_of(basis, now) == why::reasoning_stripped);
  now.before.reset();
  CHECK(reason_of(basis, now) == why::input_changed);
  auto reasoned = basis;
  reasoned.has_reasoned = true;
  CHECK(reason_of(reasoned, now) == why::reasoning_stripped);
}

TEST_CASE("a turn has missed what it shared and did not find, else what it no longer shares") {
  const cache_overlap same{why::input_changed, 40, 40, worker_id{1}};
  CHECK(miss_of(same, {61, 40, 4, {1}}) == cache_miss{});
  CHECK(miss_of(same, {61, 12, 4, {1}}) == cache_miss{why::evicted, 28});
  CHECK(miss_of(same, {61, 12, 4, {2}}) == cache_miss{why::worker_changed, 28});
  CHECK(miss_of(same, {40, 36, 4, {1}}) == cache_miss{});  // the last token is computed
  const cache_overlap parted{why::tools_changed, 40, 8, worker_id{1}};
  CHECK(miss_of(parted, {61, 8, 4, {1}}) == cache_miss{why::tools_changed, 32});
  CHECK(miss_of(parted, {30, 8, 4, {1}}) == cache_miss{why::tools_changed, 20});
  CHECK(miss_of(parted, {61, 4, 4, {1}}) == cache_miss{why::evicted, 4});
  CHECK(miss_of(parted, {61, 44, 4, {1}}) == cache_miss{});  // somebody else has left it
  CHECK(miss_of({}, {0, 0, 4, {1}}) == cache_miss{});
}
