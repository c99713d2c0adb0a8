// Quotas in virtual time.
#include "gateway/tenant_quotas.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using namespace troupe::gateway;
using namespace std::chrono_literals;

namespace {

struct bounded {
  std::shared_ptr<tenant_quotas> quotas = std::make_shared<tenant_quotas>(
      std::vector<tenant_limits>{{"narrow", 2, 0}, {"metered", 0, 6'000}, {"small", 0, 60}, {"free", 0, 0}});
  tenant_quotas::time_point now = tenant_quotas::time_point{} + 1h;

  quota_lease take(std::string_view tenant) {
    auto got = quotas->acquire(tenant, now);
    REQUIRE(std::holds_alternative<quota_lease>(got));
    return std::get<quota_lease>(std::move(got));
  }
  quota_refusal refused(std::string_view tenant) {
    const auto got = quotas->acquire(tenant, now);
    REQUIRE(std::holds_alternative<quota_refusal>(got));
    return std::get<quota_refusal>(got);
  }
  tenant_usage usage(std::string_view tenant) { return *quotas->usage(tenant, now); }
};

}  // namespace

TEST_CASE("a tenant runs no more turns at once than it may, and others are not asked") {
  bounded world;
  auto first = world.take("narrow");
  {
    const auto second = world.take("narrow");
    const auto third = world.refused("narrow");
    CHECK(third.what == quota_kind::concurrency);
    CHECK(third.retry_after == 1s);
    CHECK(world.usage("narrow").running == 2);
    world.take("free");
  }
  const auto again = world.take("narrow");
  world.refused("narrow");
  first.settle(7);
  first.settle(7);  // it is over
  CHECK(world.usage("narrow").running == 1);
  CHECK(world.usage("narrow").tokens == 7);
  CHECK(world.usage("narrow").refused_concurrency == 2);
}

TEST_CASE("a tenant that is not known is not bounded") {
  bounded world;
  const auto one = world.take("stranger"), two = world.take("stranger"), three = world.take("stranger");
  CHECK_FALSE(world.quotas->usage("stranger", world.now));
}

TEST_CASE("a bucket of tokens is charged what turns cost, and fills in a minute") {
  bounded world;
  CHECK(world.usage("metered").tokens_left == 6'000);
  auto turn = world.take("metered");
  CHECK(world.usage("metered").tokens_left == 6'000 - 256);  // estimated: an answer
  turn.settle(6'000);
  CHECK(world.usage("metered").tokens_left == 0);
  CHECK(world.usage("metered").full_in == 60s);
  // The mean has moved a quarter of the way: 256 + 0.25 * 5744 = 1692 tokens, at 100 a second.
  const auto refused = world.refused("metered");
  CHECK(refused.what == quota_kind::tokens);
  CHECK(refused.retry_after == 16'920ms);
  world.now += 16'919ms;
  CHECK(world.refused("metered").retry_after == 1ms);
  world.now += 1ms;
  world.take("metered").settle(0);
  CHECK(world.usage("metered").tokens == 6'000);
  CHECK(world.usage("metered").refused_tokens == 2);
  world.now += 1h;
  CHECK(world.usage("metered").tokens_left == 6'000);
  CHECK(world.usage("metered").full_in == 0s);
}

TEST_CASE("a turn that costs more than a minute's worth is let in with a full bucket and leaves a debt") {
  bounded world;
  world.take("small").settle(600);
  CHECK(world.refused("small").retry_after == 600s);  // 540 tokens of debt and a full bucket, one a second
  world.now += 599s;
  CHECK(world.refused("small").retry_after == 1s);
  world.now += 1s;
  world.take("small");
}

TEST_CASE("a turn that never began costs nothing, one that is dropped costs what was estimated") {
  bounded world;
  world.take("metered").refund();
  CHECK(world.usage("metered").tokens_left == 6'000);
  CHECK(world.usage("metered").tokens == 0);
  CHECK(world.usage("metered").running == 0);
  world.take("metered");
  CHECK(world.usage("metered").tokens_left == 6'000 - 256);
  CHECK(world.usage("metered").tokens == 256);
  world.take("metered").owe(100);
  CHECK(world.usage("metered").tokens == 512);
  world.take("metered").owe(1'000);
  CHECK(world.usage("metered").tokens == 1'512);
  CHECK(world.usage("metered").tokens_left == 6'000 - 1'512);
  auto whole = world.take("metered");
  const auto moved = std::move(whole);
  CHECK(world.usage("metered").running == 1);
}

TEST_CASE("a clock that seems to go back fills nothing twice") {
  bounded world;
  world.take("metered").settle(6'000);
  const auto begin = world.now;
  world.now += 10s;
  CHECK(world.usage("metered").tokens_left == 1'000);
  CHECK(world.quotas->usage("metered", begin)->tokens_left == 1'000);
  CHECK(world.usage("metered").tokens_left == 1'000);
}

TEST_CASE("many threads leave the count as it was") {
  bounded world;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 2'000; ++n) {
        auto got = world.quotas->acquire("narrow", world.now);
        if (auto* lease = std::get_if<quota_lease>(&got)) lease->settle(1);
      }
    });
  for (auto& thread : threads) thread.join();
  const auto after = world.usage("narrow");
  CHECK(after.running == 0);
  CHECK(after.tokens + after.refused_concurrency == 8'000);
}
