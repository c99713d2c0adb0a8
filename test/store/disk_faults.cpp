// Disks that refuse: operations that fail one by one, and a limit on file sizes that refuses as a full disk does.
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 8192;

struct fault_plan {
  int fail_reads = 0, fail_writes = 0, fail_allocations = 0;  ///< an errno, 0: none
  std::uint64_t fail_after = 0;                               ///< so many operations of any kind pass
  std::uint64_t seen = 0;
  bool half_done = false;  ///< a failing write writes its front
  int check(int wanted) { return wanted != 0 && seen++ >= fail_after ? wanted : 0; }
};

class faulty_io final : public block_io {
 public:
  explicit faulty_io(std::shared_ptr<fault_plan> plan) : plan_(std::move(plan)) {}
  void submit(const io_operation& operation) override {
    const bool is_write = operation.what == io_operation::kind::write;
    const int failed = plan_->check(is_write ? plan_->fail_writes : plan_->fail_reads);
    if (failed == 0) return real_->submit(operation);
    failed_.push_back({operation.id, -failed});
    if (!plan_->half_done || !is_write) return;
    const auto& front = operation.parts[0];
    real_->write_now(operation.descriptor, operation.offset, {static_cast<std::byte*>(front.iov_base), front.iov_len});
  }
  void reap(std::vector<io_completion>& into, std::chrono::milliseconds longest) override {
    into.insert(into.end(), failed_.begin(), failed_.end());
    failed_.clear();
    real_->reap(into, longest);
  }
  int allocate(int descriptor, std::uint64_t bytes) override {
    const int failed = plan_->check(plan_->fail_allocations);
    return failed != 0 ? -failed : real_->allocate(descriptor, bytes);
  }
  int write_now(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes) override {
    const int failed = plan_->check(plan_->fail_writes);
    return failed != 0 ? -failed : real_->write_now(descriptor, offset, bytes);
  }

 private:
  std::shared_ptr<fault_plan> plan_;
  std::unique_ptr<block_io> real_ = make_plain_io();
  std::vector<io_completion> failed_;
};

struct faulty_store {
  std::shared_ptr<fault_plan> plan = std::make_shared<fault_plan>();
  std::unique_ptr<disk_store> store;
  explicit faulty_store(const disk_store_options& options) : store(open_good(options, 0, std::make_unique<faulty_io>(plan))) {}
};

}  // namespace

TEST_CASE("a disk without space refuses puts, answers gets, and takes puts when space returns") {
  temporary_folder folder;
  faulty_store disk(small_options(folder.path));
  auto& store = *disk.store;
  for (std::uint64_t number = 0; number < 40; ++number) REQUIRE(put_sample(store, number, block_bytes) == store_result::stored);
  disk.plan->fail_writes = disk.plan->fail_allocations = ENOSPC;
  for (std::uint64_t number = 40; number < 60; ++number) {
    CHECK(put_sample(store, number, block_bytes) == store_result::failed);
    check_sound(store);
  }
  for (std::uint64_t number = 0; number < 40; ++number) CHECK(get_sample(store, number, block_bytes) == store_result::loaded);
  CHECK(store.counts().failed == 20);
  CHECK(store.counts().io_errors == 2);  // a footer and one segment: a disk that takes none is not asked each time
  disk.plan->fail_writes = disk.plan->fail_allocations = 0;
  CHECK(put_sample(store, 60, block_bytes, 999) == store_result::failed);
  CHECK(put_sample(store, 60, block_bytes, 1000) == store_result::stored);
  CHECK(get_sample(store, 60, block_bytes, 1000) == store_result::loaded);
  check_sound(store);
}

TEST_CASE("a file size limit, which the kernel answers as it does a full disk, costs nothing but puts") {
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  for (const bool use_uring : {true, false}) {
    temporary_folder folder;
    auto options = small_options(folder.path);
    options.use_uring = use_uring;
    {
      const auto store = open_good(options);
      for (std::uint64_t number = 0; number < 10; ++number) REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
      const rlimit tight{40'000, old.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
      std::uint64_t failed = 0;
      for (std::uint64_t number = 10; number < 40; ++number) failed += put_sample(*store, number, block_bytes) == store_result::failed;
      std::uint64_t loaded = 0;
      for (std::uint64_t number = 0; number < 10; ++number) loaded += get_sample(*store, number, block_bytes) == store_result::loaded;
      REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
      CHECK(failed == 30);
      CHECK(loaded == 10);
      check_sound(*store);
      CHECK(put_sample(*store, 50, block_bytes, 5000) == store_result::stored);
    }
    const auto store = open_good(options);
    CHECK(store->counts().blocks == 11);
    CHECK(get_sample(*store, 50, block_bytes) == store_result::loaded);
  }
  std::signal(SIGXFSZ, ignored);
}

TEST_CASE("a write that fails half done leaves no block, now and after a restart") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  {
    faulty_store disk(options);
    disk.plan->half_done = true;
    REQUIRE(put_sample(*disk.store, 1, block_bytes) == store_result::stored);
    disk.plan->fail_writes = EIO;
    CHECK(put_sample(*disk.store, 2, block_bytes) == store_result::failed);
    CHECK(get_sample(*disk.store, 2, block_bytes) == store_result::missing);
    CHECK(disk.store->take_events().size() == 1);
    disk.plan->fail_writes = 0;
    REQUIRE(put_sample(*disk.store, 3, block_bytes) == store_result::stored);
    disk.plan->fail_writes = EIO;  // the footer too: the next opening has to read records
  }
  const auto store = open_good(options);
  CHECK(store->opening().segments_scanned == 1);
  CHECK(store->opening().damaged == 1);
  CHECK(store->counts().blocks == 2);
  CHECK(get_sample(*store, 3, block_bytes) == store_result::loaded);
}

TEST_CASE("a block that cannot be read is a failure, leaves the index, and is looked at again after a restart") {
  temporary_folder folder;
  const auto options = small_options(folder.path);
  {
    faulty_store disk(options);
    REQUIRE(put_sample(*disk.store, 1, block_bytes) == store_result::stored);
    disk.plan->fail_reads = EIO;
    CHECK(get_sample(*disk.store, 1, block_bytes) == store_result::failed);
    CHECK(get_sample(*disk.store, 1, block_bytes) == store_result::missing);
    const auto events = disk.store->take_events();
    REQUIRE(events.size() == 2);
    CHECK(events[1].cause == removal_cause::corrupt);
    disk.plan->fail_reads = 0;
    REQUIRE(put_sample(*disk.store, 2, block_bytes) == store_result::stored);
    check_sound(*disk.store);
  }
  const auto store = open_good(options);
  CHECK(get_sample(*store, 2, block_bytes) == store_result::loaded);
}

TEST_CASE("whichever operation is the first to fail, nothing leaks and what is returned is right") {
  for (const int error : {EIO, ENOSPC})
    for (std::uint64_t after = 0; after < 90; ++after) {
      CAPTURE(after);
      temporary_folder folder;
      auto options = small_options(folder.path);
      options.segment_bytes = 64 << 10;
      options.budget_bytes = 4 * options.segment_bytes;
      faulty_store disk(options);
      disk.plan->fail_after = after;
      disk.plan->fail_reads = disk.plan->fail_writes = disk.plan->fail_allocations = error;
      for (std::uint64_t number = 0; number < 40; ++number) {
        put_sample(*disk.store, number, block_bytes);
        get_sample(*disk.store, number / 2, block_bytes);
        check_sound(*disk.store);
      }
      disk.plan->fail_after = ~std::uint64_t{0};
      CHECK(put_sample(*disk.store, 100, block_bytes, 2000) == store_result::stored);
      CHECK(get_sample(*disk.store, 100, block_bytes, 2000) == store_result::loaded);
    }
}
