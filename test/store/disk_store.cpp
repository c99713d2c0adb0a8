// What a disk store promises while nothing fails: content, restarts, ttl, budget, write rate, drops.
#include "engine/store/disk_store.hpp"

#include <set>

#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 8192;

/// The store as it is, without O_DIRECT, and without io_uring.
std::vector<disk_store_options> ways(const fs::path& folder) {
  auto ring = small_options(folder / "ring"), cached = small_options(folder / "cached"), plain = small_options(folder / "plain");
  cached.use_direct = false;
  plain.use_uring = false;
  return {ring, cached, plain};
}

}  // namespace

TEST_CASE("blocks of any size come back, also after a restart, by every way of I/O") {
  temporary_folder folder;
  const std::vector<std::size_t> sizes{1, 4095, 4096, 4097, 8192, 65536, 100'000};
  for (const auto& options : ways(folder.path)) {
    CAPTURE(options.folder);
    {
      const auto store = open_good(options);
      for (std::size_t i = 0; i < sizes.size(); ++i) CHECK(put_sample(*store, i, sizes[i]) == store_result::stored);
      for (std::size_t i = 0; i < sizes.size(); ++i) CHECK(get_sample(*store, i, sizes[i]) == store_result::loaded);
      CHECK(get_sample(*store, 99, 100) == store_result::missing);
      check_sound(*store);
    }
    const auto store = open_good(options);
    CHECK(store->opening().blocks == sizes.size());
    CHECK(store->opening().segments_scanned == 0);
    CHECK(store->opening().damaged == 0);
    CHECK(store->take_events().empty());
    CHECK(store->snapshot().size() == sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) CHECK(get_sample(*store, i, sizes[i]) == store_result::loaded);
    CHECK(store->counts().loaded == sizes.size());
    check_sound(*store);
  }
}

TEST_CASE("the opening says by which way bytes move") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.use_uring = false;
  options.use_direct = false;
  CHECK(open_good(options)->opening().io == "pread and pwrite, page cache");
  options.use_uring = true;
  const auto io = open_good(options)->opening().io;
  const bool has_ring = io == "io_uring, page cache";
  CHECK((has_ring || io.rfind("pread and pwrite (io_uring is not available: ", 0) == 0));
}

TEST_CASE("memory at page boundaries and memory that is not give the same") {
  temporary_folder folder;
  const auto store = open_good(small_options(folder.path));
  aligned_buffer aligned(2 * block_bytes);
  fill_payload(1, aligned.bytes().first(block_bytes));
  fill_payload(2, aligned.bytes().subspan(1, block_bytes));
  fill_payload(1, aligned.bytes().first(block_bytes));
  CHECK(put_now(*store, sample_block(1), aligned.bytes().first(block_bytes)) == store_result::stored);
  fill_payload(2, aligned.bytes().subspan(1, block_bytes));
  CHECK(put_now(*store, sample_block(2), aligned.bytes().subspan(1, block_bytes)) == store_result::stored);
  for (const std::size_t shift : {0, 1, 512})
    for (const std::uint64_t number : {1, 2}) {
      const auto destination = aligned.bytes().subspan(shift, block_bytes);
      REQUIRE(store->get(0, sample_block(number), destination, {3}) == store_result::pending);
      CHECK(settle(*store).at(3).result == store_result::loaded);
      CHECK(std::ranges::equal(destination, sample_payload(number, block_bytes)));
    }
}

TEST_CASE("a load brings the retention back, and a repeated put raises it") {
  temporary_folder folder;
  const auto store = open_good(small_options(folder.path));
  auto block = sample_block(1);
  block.retention = {3, 40, 5000};
  const auto payload = sample_payload(1, block_bytes);
  CHECK(put_now(*store, block, payload) == store_result::stored);
  block.retention = {4, 20, 9000};
  CHECK(put_now(*store, block, payload) == store_result::present);
  std::vector<std::byte> destination(block_bytes);
  REQUIRE(store->get(0, sample_block(1), destination, {1}) == store_result::pending);
  CHECK(settle(*store).at(1).retention == stored_retention{4, 40, 9000});
  CHECK(store->retain(0, block.block.hash, block.layout, {5, 60, 0}));
  CHECK_FALSE(store->retain(0, block.block.hash, {12}, {5, 60, 0}));
  REQUIRE(store->get(0, sample_block(1), destination, {1}) == store_result::pending);
  CHECK(settle(*store).at(1).retention == stored_retention{5, 60, 0});
  const auto reasoning = static_cast<std::size_t>(core::block_role::reasoning);
  CHECK(store->counts().by_role[reasoning] == 1);
  CHECK(store->retain(0, block.block.hash, block.layout, {200, 60, 0}));  // of a later version
  CHECK(store->counts().by_role[reasoning] == 0);
  CHECK(store->counts().by_role[0] == 1);
  CHECK(store->counts().present == 1);
  check_sound(*store);
}

TEST_CASE("another layout, scope, parent, size or other tokens under the same hash are a miss that is counted") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  for (const bool restarted : {false, true}) {
    const auto store = open_good(options);
    if (!restarted) REQUIRE(put_sample(*store, 1, block_bytes) == store_result::stored);
    std::vector<std::byte> destination(block_bytes);
    const auto refuse = [&](const stored_block& wanted, std::size_t bytes) {
      CHECK(store->get(0, wanted, std::span(destination).first(bytes), {1}) == store_result::mismatched);
    };
    const auto block = sample_block(1);
    auto other = block;
    other.layout.value = 12;
    refuse(other, block_bytes);
    other = block;
    other.scope = scope_of(8);
    refuse(other, block_bytes);
    other = block;
    other.parent.low ^= 1;
    refuse(other, block_bytes);
    other = block;
    other.tokens[0] ^= 1;
    refuse(other, block_bytes);
    refuse(block, block_bytes - 1);
    CHECK(store->counts().mismatched == 5);
    CHECK(get_sample(*store, 1, block_bytes) == store_result::loaded);
  }
}

TEST_CASE("the shards of a block lie side by side under one hash and are dropped together") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  auto second = sample_block(1);
  second.layout.value = 12;
  {
    const auto store = open_good(options);
    CHECK(put_sample(*store, 1, block_bytes) == store_result::stored);
    CHECK(put_now(*store, second, sample_payload(2, block_bytes)) == store_result::stored);
    CHECK(store->holds(second.block.hash, second.layout));
    CHECK(get_sample(*store, 1, block_bytes) == store_result::loaded);
    std::vector<std::byte> destination(block_bytes);
    REQUIRE(store->get(0, second, destination, {1}) == store_result::pending);
    CHECK(settle(*store).at(1).result == store_result::loaded);
    CHECK(destination == sample_payload(2, block_bytes));
    CHECK(put_sample(*store, 3, block_bytes) == store_result::stored);
    CHECK(store->drop({{second.block.hash, block_hash{1, 1}}}) == 2);
    CHECK(get_sample(*store, 1, block_bytes) == store_result::missing);
    check_sound(*store);
  }
  const auto store = open_good(options);
  CHECK(store->counts().blocks == 1);
  CHECK_FALSE(store->holds(second.block.hash, second.layout));
  CHECK(get_sample(*store, 3, block_bytes) == store_result::loaded);
}

TEST_CASE("a block dropped while it is written does not appear, not even after a restart") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  {
    const auto store = open_good(options);
    const auto payload = sample_payload(1, block_bytes);
    REQUIRE(store->put(0, sample_block(1), payload, {7}) == store_result::pending);
    CHECK(store->put(0, sample_block(1), payload, {8}) == store_result::present);
    const auto hash = sample_block(1).block.hash;
    CHECK(store->drop({&hash, 1}) == 1);
    CHECK(settle(*store).at(7).result == store_result::dropped);
    REQUIRE(put_sample(*store, 2, block_bytes) == store_result::stored);
    CHECK_FALSE(store->holds(hash, sample_layout));
    CHECK(store->take_events().size() == 1);
    check_sound(*store);
  }
  const auto store = open_good(options);
  CHECK(store->counts().blocks == 1);
  CHECK(put_sample(*store, 1, block_bytes) == store_result::stored);
}

TEST_CASE("events name what changed and why") {
  temporary_folder folder;
  const auto store = open_good(small_options(folder.path));
  auto brief = sample_block(1);
  brief.retention.expires = 100;
  REQUIRE(put_now(*store, brief, sample_payload(1, block_bytes)) == store_result::stored);
  REQUIRE(put_sample(*store, 2, block_bytes) == store_result::stored);
  const auto hash = sample_block(2).block.hash;
  store->drop({&hash, 1});
  CHECK(get_sample(*store, 1, block_bytes, 99) == store_result::loaded);
  CHECK(get_sample(*store, 1, block_bytes, 100) == store_result::missing);
  const auto events = store->take_events();
  REQUIRE(events.size() == 4);
  using kind = core::block_event::kind;
  CHECK(events[0].change == core::block_event{kind::stored, brief.block, brief.parent});
  CHECK(events[1].change == core::block_event{kind::stored, sample_block(2).block, sample_block(2).parent});
  CHECK(events[2].change.what == kind::removed);
  CHECK(events[2].change.block == sample_block(2).block);
  CHECK(events[2].cause == removal_cause::dropped);
  CHECK(events[3].change.block == brief.block);
  CHECK(events[3].cause == removal_cause::ttl);
  CHECK(events[3].layout == sample_layout);
}

TEST_CASE("ttl: the block's own, the store's bound, and what passed while the store was closed") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.ttl_ms = 1000;
  const auto put = [](disk_store& store, std::uint64_t number, unix_ms expires) {
    auto block = sample_block(number);
    block.retention.expires = expires;
    return put_now(store, block, sample_payload(number, block_bytes), 10);
  };
  {
    const auto store = open_good(options, 10);
    CHECK(put(*store, 1, 0) == store_result::stored);
    CHECK(put(*store, 2, 500) == store_result::stored);
    CHECK(put(*store, 3, 100'000) == store_result::stored);
    CHECK(put(*store, 4, 10) == store_result::expired);
    std::vector<store_completion> none;
    store->poll(499, none);
    CHECK(store->counts().blocks == 3);
    store->poll(500, none);
    CHECK(store->counts().blocks == 2);
  }
  {
    const auto store = open_good(options, 1009);
    CHECK(store->counts().blocks == 2);
  }
  const auto store = open_good(options, 1010);
  CHECK(store->counts().blocks == 0);
  CHECK(store->opening().expired == 2);
  CHECK(store->counts().bytes_used == 0);
}

TEST_CASE("beyond the budget whole segments leave, oldest first, and the files stay below it") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  const auto store = open_good(options);
  for (std::uint64_t number = 0; number < 600; ++number) {
    REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
    if (number % 16 == 0) check_sound(*store);
  }
  const auto counts = store->counts();
  CHECK(counts.bytes_used <= options.budget_bytes);
  CHECK(counts.bytes_used > options.budget_bytes * 3 / 4);
  CHECK(counts.removed[static_cast<std::size_t>(removal_cause::capacity)] == 600 - counts.blocks);
  CHECK_FALSE(store->holds(sample_block(0).block.hash, sample_layout));
  std::uint64_t newest = 0;
  for (std::uint64_t number = 600 - counts.blocks; number < 600; ++number)
    newest += store->holds(sample_block(number).block.hash, sample_layout);
  CHECK(newest == counts.blocks);  // nothing was loaded, so first in is first out
}

TEST_CASE("what was loaded, and what has a high priority, outlives its segment") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  {
    const auto store = open_good(options);
    auto kept = sample_block(1000);
    kept.retention.priority = 90;
    REQUIRE(put_now(*store, kept, sample_payload(1000, block_bytes)) == store_result::stored);
    for (std::uint64_t number = 0; number < 2000; ++number) {
      if (number == 1000) continue;
      REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
      if (number % 10 == 0) CHECK(get_sample(*store, 0, block_bytes) == store_result::loaded);
      if (number % 50 == 0) check_sound(*store);
    }
    CHECK(store->counts().carried > 4);
    CHECK(get_sample(*store, 1000, block_bytes) == store_result::loaded);
    CHECK_FALSE(store->holds(sample_block(1).block.hash, sample_layout));
  }
  const auto store = open_good(options);
  CHECK(store->opening().damaged == 0);
  CHECK(get_sample(*store, 0, block_bytes) == store_result::loaded);
  CHECK(get_sample(*store, 1000, block_bytes) == store_result::loaded);
}

TEST_CASE("the write rate is a bound in virtual time, carried blocks and footers included") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.write_bytes_per_s = 100 << 10;
  const auto store = open_good(options);
  std::uint64_t number = 0, refused = 0;
  for (unix_ms now = 0; now <= 60'000; now += 50) {
    const auto result = put_sample(*store, number, block_bytes, now);
    refused += result == store_result::rate_limited;
    if (result == store_result::stored) ++number;
    if (number > 4) get_sample(*store, number / 2, block_bytes, now);
    // A burst of one second, then the rate; a record and a footer may leave a debt.
    REQUIRE(store->counts().bytes_written <= options.write_bytes_per_s * static_cast<std::uint64_t>(1000 + now) / 1000 + 32'768);
  }
  CHECK(refused == store->counts().refused_rate);
  CHECK(refused > 100);
  CHECK(store->counts().bytes_written > options.write_bytes_per_s * 55);
  check_sound(*store);
}

TEST_CASE("operations in flight are bounded, and one too many is refused at once") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.operations_max = 4;
  const auto store = open_good(options);
  std::vector<std::vector<std::byte>> payloads;
  for (std::uint64_t i = 0; i < 5; ++i) payloads.push_back(sample_payload(i, block_bytes));
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(store->put(0, sample_block(i), payloads[i], {i}) == store_result::pending);
  CHECK(store->put(0, sample_block(4), payloads[4], {4}) == store_result::busy);
  check_sound(*store);
  CHECK(settle(*store).size() == 4);
  CHECK(store->counts().refused_busy == 1);
  CHECK(put_sample(*store, 4, block_bytes) == store_result::stored);
}

TEST_CASE("what no segment can hold is refused") {
  temporary_folder folder;
  const auto store = open_good(small_options(folder.path));
  CHECK(put_sample(*store, 1, 0) == store_result::too_large);
  CHECK(put_sample(*store, 1, 256 << 10) == store_result::too_large);
  auto block = sample_block(1);
  block.tokens.resize(4097);
  CHECK(put_now(*store, block, sample_payload(1, 10)) == store_result::too_large);
  CHECK(put_sample(*store, 1, 200 << 10) == store_result::stored);
}

TEST_CASE("a segment file that somebody took away costs its blocks and nothing else") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  { CHECK(put_sample(*open_good(options), 1, block_bytes) == store_result::stored); }
  const auto store = open_good(options);
  REQUIRE(put_sample(*store, 2, block_bytes) == store_result::stored);
  fs::remove(folder.path / "0000000000000001.blocks");
  CHECK(get_sample(*store, 1, block_bytes) == store_result::failed);
  CHECK(get_sample(*store, 1, block_bytes) == store_result::missing);
  CHECK(get_sample(*store, 2, block_bytes) == store_result::loaded);
  CHECK(store->counts().removed[static_cast<std::size_t>(removal_cause::corrupt)] == 1);
  check_sound(*store);
}
