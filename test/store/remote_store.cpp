// The remote store against a real Redis that is stopped, frozen and full.
#include "engine/store/remote_store.hpp"

#include "test/store/remote_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;

TEST_CASE("blocks come back from Redis, to another process's store too") {
  if (!has_redis()) return;
  real_redis redis;
  remote_store first(options_for(redis.socket())), second(options_for(redis.socket()));
  CHECK(put_samples(first, 0, 100) == all(100, store_result::stored));
  auto wanted = all(100, store_result::loaded);
  wanted.resize(103, store_result::missing);
  CHECK(get_samples(second, 0, 103) == wanted);
  CHECK(second.exists(0, {{key_of(5), key_of(200), key_of(99)}}) == std::vector<bool>{true, false, true});
  CHECK(second.drop(0, {{key_of(5), key_of(200)}}) == 1);
  CHECK(get_sample(first, 5) == store_result::missing);
  CHECK(redis.run("DBSIZE") == "99");
  CHECK(first.counts().stored == 100);
  CHECK(first.counts().connections == 1);
  CHECK(second.counts().loaded == 100);
  CHECK(second.counts().missing == 3);
}

TEST_CASE("Redis is reached by host name and port") {
  if (!has_redis()) return;
  const auto port = std::to_string(free_port());
  real_redis redis({"--port", port, "--bind", "127.0.0.1"});
  remote_store_options options;
  options.call_wait_ms = 5000;
  options.address.host = "localhost";
  options.address.port = static_cast<std::uint16_t>(std::stoi(port));
  remote_store store(options);
  CHECK(put_samples(store, 0, 20) == all(20, store_result::stored));
  CHECK(get_samples(store, 0, 20) == all(20, store_result::loaded));
}

TEST_CASE("large blocks go through in windows") {
  if (!has_redis()) return;
  real_redis redis;
  auto options = options_for(redis.socket());
  options.window_bytes = 8 << 20;
  options.call_wait_ms = 20'000;
  remote_store store(options);
  CHECK(put_samples(store, 0, 8, 0, 3'500'000) == all(8, store_result::stored));
  CHECK(get_samples(store, 0, 8, 0, 3'500'000) == all(8, store_result::loaded));
}

TEST_CASE("another layout or scope is another key, other tokens or parents a mismatch") {
  if (!has_redis()) return;
  real_redis redis;
  remote_store store(options_for(redis.socket()));
  REQUIRE(put_samples(store, 1, 1) == all(1, store_result::stored));
  const auto get = [&store](const stored_block& wanted, std::size_t bytes = block_bytes) {
    std::vector<std::byte> memory(bytes);
    const remote_get request{&wanted, memory};
    return store.get(0, {&request, 1})[0].result;
  };
  const auto block = sample_block(1);
  auto other = block;
  other.layout.value = 12;
  CHECK(get(other) == store_result::missing);
  other = block;
  other.scope = scope_of(8);
  CHECK(get(other) == store_result::missing);
  other = block;
  other.parent.low ^= 1;
  CHECK(get(other) == store_result::mismatched);
  other = block;
  other.tokens[3] ^= 1;
  CHECK(get(other) == store_result::mismatched);
  CHECK(get(block, block_bytes + 1) == store_result::mismatched);
  CHECK(get(block) == store_result::loaded);
  CHECK(store.counts().mismatched == 3);
}

TEST_CASE("a block lives in Redis until its expiry or the store's ttl") {
  if (!has_redis()) return;
  real_redis redis;
  auto options = options_for(redis.socket());
  options.ttl_ms = 1'000'000;
  remote_store store(options);
  const auto put = [&store](std::uint64_t number, unix_ms expires) {
    auto block = sample_block(number);
    block.retention.expires = expires;
    const auto payload = sample_payload(number, block_bytes);
    const remote_put request{&block, payload};
    return store.put(5000, {&request, 1})[0];
  };
  CHECK(put(1, 0) == store_result::stored);
  CHECK(put(2, 505'000) == store_result::stored);
  CHECK(put(3, 5000) == store_result::expired);
  const auto ttl_of = [&](std::uint64_t number) { return std::atoll(redis.run("PTTL " + store.key_of(key_of(number))).c_str()); };
  CHECK(ttl_of(1) > 900'000);
  CHECK(ttl_of(1) <= 1'000'000);
  CHECK(ttl_of(2) > 400'000);
  CHECK(ttl_of(2) <= 500'000);
  std::vector<std::byte> memory(block_bytes);
  const auto wanted = sample_block(2);
  const remote_get request{&wanted, memory};
  CHECK(store.get(504'999, {&request, 1})[0].result == store_result::loaded);
  CHECK(store.get(505'000, {&request, 1})[0].result == store_result::missing);  // whatever Redis' clock says
}

TEST_CASE("encrypted blocks open under their key alone, and plain ones are not believed") {
  if (!has_redis()) return;
  real_redis redis;
  auto options = options_for(redis.socket());
  remote_store plain(options);
  block_cipher::key key{};
  options.cipher = std::make_shared<block_cipher>(key);
  remote_store sealed(options);
  key[0] = 1;
  options.cipher = std::make_shared<block_cipher>(key);
  remote_store other(options);
  CHECK(put_samples(sealed, 0, 3) == all(3, store_result::stored));
  CHECK(get_samples(sealed, 0, 3) == all(3, store_result::loaded));
  CHECK(get_samples(plain, 0, 3) == all(3, store_result::mismatched));
  CHECK(get_samples(other, 0, 3) == all(3, store_result::mismatched));
  CHECK(put_samples(plain, 7, 1) == all(1, store_result::stored));
  CHECK(get_sample(sealed, 7) == store_result::mismatched);
}

TEST_CASE("a password is given, and a wrong one is a store that is gone") {
  if (!has_redis()) return;
  real_redis redis({"--requirepass", "secret"});
  auto options = options_for(redis.socket());
  remote_store stranger(options);
  CHECK(get_samples(stranger, 0, 2) == all(2, store_result::failed));
  CHECK(stranger.counts().error_replies == 2);
  options.address.password = "secret";
  remote_store guest(options);
  CHECK(put_samples(guest, 0, 2) == all(2, store_result::stored));
  options.address.user = "nobody";
  remote_store nobody(options);
  CHECK(get_samples(nobody, 0, 2) == all(2, store_result::unavailable));
  CHECK(nobody.counts().faults_gone == 1);
}

TEST_CASE("a Redis that stops costs hits, is asked less and less, and is found again") {
  if (!has_redis()) return;
  real_redis redis;
  remote_store store(options_for(redis.socket()));
  REQUIRE(put_samples(store, 0, 3) == all(3, store_result::stored));
  redis.stop();
  for (int i = 0; i < 3; ++i) CHECK(get_sample(store, 0, 1000) == store_result::unavailable);
  CHECK(store.breaker() == circuit_breaker::phase::open);
  CHECK(store.counts().faults_gone == 3);
  for (int i = 0; i < 20; ++i) CHECK(get_sample(store, 0, 1499) == store_result::unavailable);
  CHECK(put_samples(store, 9, 1, 1499) == all(1, store_result::unavailable));
  CHECK(store.exists(1499, {{key_of(0)}}) == std::vector<bool>{false});
  CHECK(store.counts().faults_gone == 3);
  CHECK(get_sample(store, 0, 1500) == store_result::unavailable);  // the probe
  CHECK(store.counts().faults_gone == 4);
  redis.start();
  CHECK(get_sample(store, 0, 2499) == store_result::unavailable);
  CHECK(get_sample(store, 0, 2500) == store_result::missing);  // it came back empty
  CHECK(put_samples(store, 0, 3, 2500) == all(3, store_result::stored));
  CHECK(get_samples(store, 0, 3, 2500) == all(3, store_result::loaded));
  CHECK(store.breaker() == circuit_breaker::phase::closed);
}

TEST_CASE("a connection that Redis closed meanwhile is made anew, without a failure") {
  if (!has_redis()) return;
  real_redis redis;
  remote_store store(options_for(redis.socket()));
  REQUIRE(put_samples(store, 0, 1) == all(1, store_result::stored));
  redis.run("CLIENT KILL TYPE normal");
  CHECK(get_sample(store, 0) == store_result::loaded);
  CHECK(store.counts().connections == 2);
  CHECK(store.counts().faults_gone == 0);
}

TEST_CASE("a frozen Redis holds a call no longer than its deadline") {
  if (!has_redis()) return;
  real_redis redis;
  auto options = options_for(redis.socket());
  options.call_wait_ms = 100;
  remote_store store(options);
  REQUIRE(put_samples(store, 0, 3) == all(3, store_result::stored));
  redis.freeze();
  CHECK(seconds_of([&] { CHECK(get_samples(store, 0, 3) == all(3, store_result::failed)); }) < 2);
  CHECK(seconds_of([&] { CHECK(put_samples(store, 5, 3) == all(3, store_result::failed)); }) < 2);
  CHECK(seconds_of([&] { CHECK(store.drop(0, {{key_of(1)}}) == 0); }) < 2);
  CHECK(store.counts().faults_late == 3);
  CHECK(store.breaker() == circuit_breaker::phase::open);
  CHECK(seconds_of([&] { CHECK(get_sample(store, 0) == store_result::unavailable); }) < 0.1);
  redis.thaw();
  remote_store_options patient = options_for(redis.socket());
  remote_store after(patient);
  CHECK(get_sample(after, 0) == store_result::loaded);
}

TEST_CASE("a full Redis refuses puts and still answers gets") {
  if (!has_redis()) return;
  real_redis redis({"--maxmemory", "4mb", "--maxmemory-policy", "noeviction"});
  remote_store store(options_for(redis.socket()));
  const auto results = put_samples(store, 0, 300);
  CHECK(results.front() == store_result::stored);
  CHECK(results.back() == store_result::failed);
  CHECK(store.counts().error_replies == store.counts().failed);
  CHECK(get_sample(store, 0) == store_result::loaded);
  CHECK(store.breaker() == circuit_breaker::phase::closed);
}

TEST_CASE("a damaged value in Redis is a miss, is counted and removed") {
  if (!has_redis()) return;
  real_redis redis;
  remote_store store(options_for(redis.socket()));
  REQUIRE(put_samples(store, 0, 4) == all(4, store_result::stored));
  redis.run("SETRANGE " + store.key_of(key_of(0)) + " 9000 xyz");
  redis.run("SETRANGE " + store.key_of(key_of(1)) + " 3 xyz");
  redis.run("SET " + store.key_of(key_of(2)) + " short");
  redis.run("DEL " + store.key_of(key_of(3)));
  redis.run("LPUSH " + store.key_of(key_of(3)) + " a list");
  const auto corrupt = store_result::corrupt;
  CHECK(get_samples(store, 0, 4) == std::vector<store_result>{corrupt, corrupt, corrupt, store_result::failed});
  CHECK(store.counts().corrupt == 3);
  CHECK(get_samples(store, 0, 3) == all(3, store_result::missing));
  CHECK(put_samples(store, 0, 4) == all(4, store_result::stored));  // SET replaces the list as well
  CHECK(get_samples(store, 0, 4) == all(4, store_result::loaded));
}

TEST_CASE("more than a batch is refused for the rest, and an address that leads nowhere is unavailable") {
  remote_store_options options;
  options.address.unix_path = "/no/such/socket";
  remote_store store(options);
  const auto results = get_samples(store, 0, limits::remote_batch_max + 2, 0, 8);
  CHECK(results[limits::remote_batch_max - 1] == store_result::unavailable);
  CHECK(results[limits::remote_batch_max] == store_result::busy);
  CHECK(results.back() == store_result::busy);
  options.address.unix_path.clear();
  options.address.host = "host.that.is.not.invalid";
  options.call_wait_ms = 50;
  remote_store nameless(options);
  CHECK(seconds_of([&] { CHECK(get_sample(nameless, 0) == store_result::unavailable); }) < 2);
  options.address.host = "localhost";
  options.address.port = 1;
  remote_store closed(options);
  CHECK(get_sample(closed, 0) == store_result::unavailable);
}

TEST_CASE("a pin extends what is there and what is put, never shortens, and does not say twice what is known") {
  if (!has_redis()) return;
  real_redis redis;
  auto options = options_for(redis.socket());
  options.ttl_ms = 100'000;
  remote_store store(options);
  CHECK(put_samples(store, 0, 3, 0) == all(3, store_result::stored));
  redis.run("PEXPIRE " + store.key_of(key_of(2)) + " 900000");
  std::vector<core::block_identity> chain;
  for (std::uint64_t number = 0; number < 5; ++number) chain.push_back(sample_block(number).block);
  const auto pin = [&](std::uint64_t generation, unix_ms until) {
    store.apply(1000, {{1}, generation, chain, {{4, until}}}, sample_layout, sample_scope);
  };
  const auto ttl_of = [&](std::uint64_t number) { return std::atoll(redis.run("PTTL " + store.key_of(key_of(number))).c_str()); };
  pin(1, 501'000);
  CHECK(store.counts().extended == 2);
  CHECK(ttl_of(0) > 490'000);
  CHECK(ttl_of(0) <= 500'000);
  CHECK(ttl_of(2) > 800'000);
  pin(2, 501'900);
  CHECK(store.counts().extended == 2);
  pin(3, 600'000);
  CHECK(store.counts().extended == 4);
  CHECK(put_samples(store, 3, 2, 1000) == all(2, store_result::stored));
  CHECK(ttl_of(3) > 590'000);
  CHECK(ttl_of(4) <= 100'000);
  store.release({1});
  CHECK(put_samples(store, 3, 1, 1000) == all(1, store_result::stored));
  CHECK(ttl_of(3) <= 100'000);
  auto brief = sample_block(1);
  brief.retention.expires = 50'000;
  const auto payload = sample_payload(1, block_bytes);
  pin(4, 600'000);
  const remote_put request{&brief, payload};
  CHECK(store.put(1000, {&request, 1})[0] == store_result::stored);
  std::vector<std::byte> memory(block_bytes);
  const remote_get wanted{&brief, memory};
  CHECK(store.get(599'999, {&wanted, 1})[0].result == store_result::loaded);
  CHECK(store.counts().error_replies == 0);
}

TEST_CASE("an intent that is said again is told to Redis where it is longer, each key once") {
  std::size_t told = 0;
  lying_redis redis{[&](const lying_redis::words& words) -> std::string {
    told += words[0] == "PEXPIRE";
    return words[0] == "PEXPIRE" ? ":1\r\n" : "+OK\r\n";
  }};
  remote_store store(options_for(redis.socket()));
  std::vector<core::block_identity> chain;
  for (std::uint64_t number = 0; number < 2000; ++number) chain.push_back(sample_block(number).block);
  const auto pin = [&](std::uint64_t generation, std::uint32_t blocks, unix_ms until) {
    store.apply(0, {{1}, generation, chain, {{blocks, until}}}, sample_layout, sample_scope);
  };
  pin(1, 2000, 100'000);
  CHECK(told == 2000);  // more than one batch
  pin(2, 2000, 100'500);
  CHECK(told == 2000);
  pin(3, 500, 200'000);
  CHECK(told == 2500);
  pin(4, 2000, 200'000);
  CHECK(told == 4000);
  CHECK(store.counts().extended == 4000);
}

TEST_CASE("a Redis that cannot compare ends is told of pins once, and keeps what is put meanwhile") {
  std::size_t told = 0;
  std::string px;
  lying_redis old{[&](const lying_redis::words& words) -> std::string {
    told += words[0] == "PEXPIRE";
    if (words[0] == "SET") px = words.back();
    return words[0] == "PEXPIRE" ? "-ERR wrong number of arguments for 'pexpire' command\r\n" : "+OK\r\n";
  }};
  remote_store store(options_for(old.socket()));
  const std::vector<core::block_identity> chain{sample_block(1).block};
  for (std::uint64_t generation = 1; generation < 10; ++generation)
    store.apply(0, {{1}, generation, chain, {{1, static_cast<unix_ms>(generation) * 1'000'000'000}}}, sample_layout, sample_scope);
  CHECK(told == 1);
  CHECK(put_samples(store, 1, 1) == all(1, store_result::stored));
  CHECK(px == "9000000000");
}
