// The remote store against servers that answer late, wrong or without end.
#include "test/store/remote_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;

TEST_CASE("whatever a server answers, nothing wrong is loaded and nothing grows") {
  const std::string value = value_of(0), other = value_of(1);
  auto longer = value + "x", shorter = value.substr(0, value.size() - 1), flipped = value;
  flipped[15'000] ^= 4;
  struct lie {
    const char* name;
    std::string answer;
    store_result result;
    bool is_fault;
  };
  const std::vector<lie> lies{
      {"the truth", bulk(value), store_result::loaded, false},
      {"another block", bulk(other), store_result::mismatched, false},
      {"a byte more", bulk(longer), store_result::corrupt, false},
      {"a byte less", bulk(shorter), store_result::corrupt, false},
      {"a flipped bit", bulk(flipped), store_result::corrupt, false},
      {"nothing", bulk(""), store_result::corrupt, false},
      {"an integer", ":5\r\n", store_result::failed, true},
      {"a status", "+OK\r\n", store_result::failed, true},
      {"an error", "-ERR no\r\n", store_result::failed, false},
      {"an array", "*2\r\n:1\r\n:2\r\n", store_result::failed, true},
      {"an array of a billion", "*1000000000\r\n", store_result::failed, true},
      {"a long bulk that does come", bulk(std::string(20 << 20, 'a')), store_result::failed, true},
      {"garbage", std::string(1000, '\x07') + "\r\n", store_result::failed, true},
      {"two answers to one question", bulk(value) + bulk(value), store_result::loaded, true},
      {"an end", "", store_result::failed, true},
  };
  for (const auto& lie : lies) {
    CAPTURE(lie.name);
    lying_redis redis([&lie](const auto& words) { return words[0] == "GET" ? lie.answer : std::string(":1\r\n"); });
    remote_store store(options_for(redis.socket()));
    CHECK(get_sample(store, 0) == lie.result);
    const auto counts = store.counts();
    CHECK(counts.faults_lying + counts.faults_gone == (lie.is_fault ? 1 : 0));
    if (lie.result == store_result::corrupt) CHECK(counts.corrupt == 1);
  }
}

TEST_CASE("answers that come late, in pieces or to a former question are not waited for and not believed") {
  SUBCASE("a bulk that is announced and never comes") {
    lying_redis redis([](const auto&) { return std::string("$20500\r\nabc"); });
    auto options = options_for(redis.socket());
    options.call_wait_ms = 50;
    remote_store store(options);
    CHECK(seconds_of([&] { CHECK(get_sample(store, 0) == store_result::failed); }) < 2);
    CHECK(store.counts().faults_late == 1);
    CHECK(get_sample(store, 0) == store_result::failed);
    CHECK(redis.connections() >= 1);
  }
  SUBCASE("puts that are answered by something else") {
    lying_redis redis([](const auto&) { return std::string("$2\r\nOK\r\n"); });
    remote_store store(options_for(redis.socket()));
    CHECK(put_samples(store, 0, 3) == all(3, store_result::failed));
    CHECK(store.counts().faults_lying == 1);
  }
  SUBCASE("an answer in the middle of a batch that closes") {
    int asked = 0;
    lying_redis redis([&asked, value = value_of(0)](const auto&) { return ++asked == 1 ? bulk(value) : std::string(); });
    remote_store store(options_for(redis.socket()));
    CHECK(get_samples(store, 0, 3) == std::vector<store_result>{store_result::loaded, store_result::failed, store_result::failed});
    CHECK(store.counts().faults_gone == 1);
  }
}

TEST_CASE("no random answer is taken for a block") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto whole = bulk(value_of(0));
    auto answer = whole;
    for (auto count = 1 + random() % 3; count > 0; --count) {
      const auto at = random() % 3 == 0 ? random() % 300 : random() % answer.size();
      if (random() % 3 == 0)
        answer.erase(at, random() % 50);
      else
        answer[at] = static_cast<char>(random());
    }
    lying_redis redis([&answer](const auto&) { return answer; });
    auto options = options_for(redis.socket());
    options.call_wait_ms = 60;
    remote_store store(options);
    const auto result = get_sample(store, 0);
    CHECK((result != store_result::loaded || answer == whole));
  }
}
