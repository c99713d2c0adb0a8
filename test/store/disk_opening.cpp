// What a disk store asks of its folder, its options and its key when it is opened.
#include "engine/store/disk_store.hpp"
#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 8192;

}  // namespace

TEST_CASE("options that cannot work and a folder in use are refused") {
  temporary_folder folder;
  const auto good = small_options(folder.path);
  auto bad = good;
  bad.budget_bytes = 3 * bad.segment_bytes;
  CHECK(disk_store::open(bad, 0).error().code == errc::invalid_request);
  bad = good;
  bad.segment_bytes = 5000;
  CHECK(disk_store::open(bad, 0).error().code == errc::invalid_request);
  bad = good;
  bad.budget_bytes = std::uint64_t{1} << 40;
  CHECK(disk_store::open(bad, 0).error().code == errc::invalid_request);
  bad = good;
  bad.operations_max = 0;
  CHECK(disk_store::open(bad, 0).error().code == errc::invalid_request);
  bad = good;
  bad.folder = "/proc/no/such";
  CHECK(disk_store::open(bad, 0).error().code == errc::io_failed);
  auto store = open_good(good);
  CHECK(disk_store::open(good, 0).error().code == errc::io_failed);
  store.reset();
  CHECK(disk_store::open(good, 0));
}

TEST_CASE("a smaller budget at the next opening removes the oldest segments") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  {
    const auto store = open_good(options);
    for (std::uint64_t number = 0; number < 250; ++number) REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
  }
  options.budget_bytes = 4 * options.segment_bytes;
  const auto store = open_good(options);
  CHECK(store->counts().bytes_used <= options.budget_bytes);
  CHECK(store->opening().segments_removed > 5);
  CHECK(get_sample(*store, 249, block_bytes) == store_result::loaded);
  check_sound(*store);
}

TEST_CASE("an encrypted store opens under its key alone, and another key takes nothing away") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  const auto key = [](unsigned char fill) {
    block_cipher::key secret;
    secret.fill(fill);
    return std::make_shared<block_cipher>(secret);
  };
  options.cipher = key(1);
  {
    const auto store = open_good(options);
    for (std::uint64_t number = 0; number < 30; ++number) REQUIRE(put_sample(*store, number, 10'000) == store_result::stored);
    CHECK(get_sample(*store, 3, 10'000) == store_result::loaded);
  }
  for (const auto& wrong : {key(2), std::shared_ptr<block_cipher>()}) {
    options.cipher = wrong;
    const auto store = open_good(options);
    CHECK(store->counts().blocks == 0);
    CHECK(store->opening().other_key == 30);
    CHECK(get_sample(*store, 3, 10'000) == store_result::missing);
    check_sound(*store);
  }
  options.cipher = key(1);
  const auto store = open_good(options);
  CHECK(store->counts().blocks == 30);
  for (std::uint64_t number = 0; number < 30; ++number) CHECK(get_sample(*store, number, 10'000) == store_result::loaded);
}
