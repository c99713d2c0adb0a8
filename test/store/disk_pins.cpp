// Pins in the disk store: what they keep when segments leave, and how far they reach.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;

namespace {

constexpr std::size_t block_bytes = 8192;

struct pinned_chain {
  std::vector<core::block_identity> blocks;
  pinned_chain(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t number = first; number < first + count; ++number) blocks.push_back(sample_block(number).block);
  }
  [[nodiscard]] stored_intent wish(std::uint64_t generation, unix_ms until) const {
    return {{1}, generation, blocks, {{static_cast<std::uint32_t>(blocks.size()), until}}};
  }
};

/// Puts a block as one who waits would: what is busy is tried again after the next poll.
void put_patiently(disk_store& store, std::uint64_t number, unix_ms now) {
  for (int tries = 0; tries < 100; ++tries) {
    const auto result = put_sample(store, number, block_bytes, now);
    if (result == store_result::stored) return;
    REQUIRE(result == store_result::busy);
    settle(store, now);
  }
  FAIL("the store was busy for ever");
}

std::uint64_t count_held(const disk_store& store, const pinned_chain& chain) {
  std::uint64_t held = 0;
  for (const auto& block : chain.blocks) held += store.holds(block.hash, sample_layout);
  return held;
}

void check_loaded(disk_store& store, std::uint64_t first, std::uint64_t count, unix_ms now) {
  for (auto number = first; number < first + count; ++number) CHECK(get_sample(store, number, block_bytes, now) == store_result::loaded);
}

}  // namespace

TEST_CASE("pinned blocks are carried over as often as their segments leave, until the pin ends") {
  for (const bool is_encrypted : {false, true}) {
    CAPTURE(is_encrypted);
    temporary_folder folder;
    auto options = small_options(folder.path);
    if (is_encrypted) options.cipher = std::make_shared<block_cipher>(block_cipher::key{});
    const pinned_chain chain(0, 8);  // less than half a segment
    {
      const auto store = open_good(options);
      for (std::uint64_t number = 0; number < 8; ++number) put_patiently(*store, number, 0);
      store->apply(0, chain.wish(1, 5000));
      CHECK(store->counts().pinned == 8);
      for (std::uint64_t number = 100; number < 1100; ++number) {
        put_patiently(*store, number, 1000);
        if (number % 50 == 0) check_sound(*store);
      }
      CHECK(count_held(*store, chain) == 8);
      CHECK(store->counts().pinned == 8);
      CHECK(store->counts().clipped == 0);
      CHECK(store->counts().carried >= 16);
      CHECK(store->counts().carried % 8 == 0);
      check_loaded(*store, 0, 8, 1000);
      settle(*store, 5000);
      CHECK(store->counts().pinned == 0);
    }
    const auto store = open_good(options, 5000);  // which forgets that they were loaded
    CHECK(count_held(*store, chain) == 8);
    for (std::uint64_t number = 3000; number < 3600; ++number) put_patiently(*store, number, 5000);
    CHECK(count_held(*store, chain) == 0);
    check_sound(*store);
  }
}

TEST_CASE("segments full of pinned blocks are passed over, which costs no writes") {
  temporary_folder folder;
  const auto store = open_good(small_options(folder.path));
  const pinned_chain chain(0, 84);  // four of sixteen segments
  for (std::uint64_t number = 0; number < 84; ++number) put_patiently(*store, number, 0);
  store->apply(0, chain.wish(1, 5000));
  CHECK(store->counts().pinned == 84);
  for (std::uint64_t number = 100; number < 1100; ++number) put_patiently(*store, number, 0);
  CHECK(count_held(*store, chain) == 84);
  CHECK(store->counts().carried <= 8);  // of a segment that was not full of them
  CHECK(store->counts().clipped == 0);
  check_loaded(*store, 0, 84, 0);
  check_sound(*store);
}

TEST_CASE("pins reach as far as their share of the disk, and what does not fit is clipped until there is room") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  const auto record_bytes = std::uint64_t{4096} + block_bytes;
  options.pinned_share_max = 10.5 * static_cast<double>(record_bytes) / static_cast<double>(options.budget_bytes);
  const auto store = open_good(options);
  for (std::uint64_t number = 0; number < 16; ++number) put_patiently(*store, number, 0);
  const pinned_chain chain(0, 16), other(0, 2);
  store->apply(0, chain.wish(1, 5000));
  CHECK(store->counts().pinned == 10);
  CHECK(store->counts().clipped == 6);
  store->apply(0, chain.wish(2, 5001));  // said again, it is no news
  CHECK(store->counts().pinned == 10);
  CHECK(store->counts().clipped == 6);
  store->apply(0, other.wish(3, 5001));
  CHECK(store->counts().pinned == 2);
  store->apply(0, chain.wish(4, 5001));
  CHECK(store->counts().pinned == 10);
  store->release({1});
  CHECK(store->counts().pinned == 0);
  for (std::uint64_t number = 100; number < 900; ++number) put_patiently(*store, number, 0);
  CHECK(count_held(*store, chain) == 0);
  check_sound(*store);
}

TEST_CASE("a pin waits for blocks that are not there yet, and outlasts their expiry") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.ttl_ms = 1000;
  const auto store = open_good(options);
  const pinned_chain chain(0, 3);
  put_patiently(*store, 0, 0);
  store->apply(0, chain.wish(1, 4000));
  put_patiently(*store, 1, 500);
  put_patiently(*store, 7, 500);
  CHECK(store->counts().pinned == 2);
  settle(*store, 3999);
  CHECK(count_held(*store, chain) == 2);
  check_loaded(*store, 0, 2, 3999);
  CHECK_FALSE(store->holds(sample_block(7).block.hash, sample_layout));
  settle(*store, 4000);
  CHECK(count_held(*store, chain) == 0);
  CHECK(store->counts().removed[static_cast<std::size_t>(removal_cause::ttl)] == 3);
  check_sound(*store);
}

TEST_CASE("pins that come while a segment is reclaimed count from then on, and puts leave them room") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  const auto store = open_good(options);
  std::uint64_t number = 0;
  for (; number < 300; ++number) put_patiently(*store, number, 0);
  // From here on without a poll, so that nothing is carried over and nothing leaves.
  const auto payload = sample_payload(0, block_bytes);
  const auto put = [&] { return store->put(0, sample_block(++number), payload, {number}); };
  while (store->counts().bytes_used + options.segment_bytes <= options.budget_bytes) REQUIRE(put() == store_result::pending);
  REQUIRE(put() == store_result::pending);  // it has found out that a segment must leave
  const pinned_chain chain(0, 12);
  store->apply(0, chain.wish(1, 5000));
  CHECK(store->counts().pinned == 12);
  auto result = store_result::pending;
  for (int tries = 0; tries < 20 && result == store_result::pending; ++tries) result = put();
  CHECK(result == store_result::busy);
  settle(*store, 0);
  std::vector<store_completion> nothing;
  for (int polls = 0; polls < 100 && store->is_carrying(); ++polls) store->wait(0, std::chrono::milliseconds(100), nothing);
  CHECK(store->counts().carried == 12);
  for (number = 2000; number < 2100; ++number) put_patiently(*store, number, 0);
  CHECK(count_held(*store, chain) == 12);
  CHECK(store->counts().clipped == 0);
  check_sound(*store);
}

TEST_CASE("after a restart a pin is what it is when it is told again") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  const pinned_chain chain(0, 6);
  {
    const auto store = open_good(options);
    for (std::uint64_t number = 0; number < 300; ++number) put_patiently(*store, number, 0);
    store->apply(0, chain.wish(1, 5000));
    CHECK(store->counts().pinned == count_held(*store, chain));
  }
  const auto store = open_good(options);
  CHECK(store->counts().pinned == 0);
  const auto held = count_held(*store, chain);
  CHECK(held == 6);
  store->apply(0, chain.wish(2, 5000));
  CHECK(store->counts().pinned == held);
  for (std::uint64_t number = 1000; number < 1600; ++number) put_patiently(*store, number, 0);
  CHECK(count_held(*store, chain) == held);
  CHECK(store->counts().clipped == 0);
  check_sound(*store);
}

TEST_CASE("whatever is put, polled and pinned in between, nothing leaves that was pinned and not clipped") {
  std::uint64_t kept = 0, carried = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    temporary_folder folder;
    auto options = small_options(folder.path);
    options.segment_bytes = 128 << 10;
    options.budget_bytes = (5 + random() % 8) * options.segment_bytes;
    options.use_uring = false;
    if (seed % 2 == 0) options.write_bytes_per_s = 4 << 20;
    const auto store = open_good(options);
    std::map<std::uint64_t, std::vector<std::byte>> memory;  // by ticket, as long as it is lent
    std::map<owner_id, std::vector<std::uint64_t>> pinned;
    unix_ms now = 0;
    std::uint64_t next = 0, generation = 0;
    const auto is_held = [&](std::uint64_t number) { return store->holds(sample_block(number).block.hash, sample_layout); };
    const auto put = [&] {
      auto& payload = memory[next] = sample_payload(next, 1 + mixed(next) % 12'000);
      if (store->put(now, sample_block(next), payload, {next}) == store_result::pending)
        ++next;
      else
        memory.erase(next);
    };
    const auto pin = [&](owner_id owner) {
      std::vector<std::uint64_t> numbers;
      std::vector<core::block_identity> chain;
      for (auto number = next - std::min<std::uint64_t>(next, random() % 100); number < next && numbers.size() < 5; ++number) {
        if (!is_held(number)) continue;
        numbers.push_back(number);
        chain.push_back(sample_block(number).block);
      }
      const auto clipped = store->counts().clipped;
      store->apply(now, {owner, ++generation, chain, {{static_cast<std::uint32_t>(chain.size()), now + 1'000'000}}});
      const bool is_whole = store->counts().clipped == clipped;
      if (!is_whole) store->apply(now, {owner, ++generation, {}, {}});
      pinned[owner] = is_whole ? numbers : std::vector<std::uint64_t>{};
    };
    for (int step = 0; step < 4000; ++step) {
      now += static_cast<unix_ms>(random() % 5);
      const auto what = random() % 8;
      if (what < 6)
        put();
      else if (what == 6)
        for (const auto& [ticket, done] : settle(*store, now)) memory.erase(ticket);
      else if (random() % 8 == 0)
        pin({random() % 3});
      for (const auto& [owner, numbers] : pinned)
        for (const auto number : numbers) REQUIRE(is_held(number));
      if (step % 20 == 0) check_sound(*store);
    }
    for (const auto& [ticket, done] : settle(*store, now)) memory.erase(ticket);
    for (const auto& [owner, numbers] : pinned)
      for (const auto number : numbers) kept += get_sample(*store, number, 1 + mixed(number) % 12'000, now) == store_result::loaded;
    carried += store->counts().carried;
  }
  CHECK(kept >= 30);
  CHECK(carried > 100);
}
