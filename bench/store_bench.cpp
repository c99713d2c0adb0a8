// The disk store beside the disk itself: bytes per second in and out and CPU time per GB for blocks of three sizes, then the time to open
// a store of many blocks. Every byte that comes back is compared.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>

#include "bench/report.hpp"
#include "engine/store/aligned_buffer.hpp"
#include "engine/store/disk_store.hpp"
#include "test/support/files.hpp"

using namespace troupe;
using namespace troupe::store;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t depth = 16;  // operations in flight

struct sizes {
  std::uint64_t bytes = 2ULL << 30;  ///< per row
  std::uint64_t opening_blocks = 100'000;
  std::uint64_t segment_bytes = 64 << 20;
};

[[noreturn]] void fail(const std::string& what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

stored_block block_of(std::uint64_t number) {
  stored_block block;
  block.block = {{number * 0x9E3779B97F4A7C15ULL | 1, number}, number};
  block.parent = {number, 1};
  block.layout = {1};
  block.scope = scope_of(1);
  block.tokens.assign(32, static_cast<token_id>(number));
  return block;
}

/// Different for each block in every page, and cheap to make.
void fill(std::span<std::byte> bytes, std::uint64_t number) {
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 512) std::memcpy(bytes.data() + at, &number, 8);
}

bool is_filled(std::span<const std::byte> bytes, std::uint64_t number) {
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 512)
    if (std::memcmp(bytes.data() + at, &number, 8) != 0) return false;
  return true;
}

/// Keeps `depth` operations in flight over `numbers`: begin(number, buffer, slot) starts one, end(completion, buffer, number) ends it.
template <class Begin, class End>
void pump(disk_store& store, const std::vector<std::uint64_t>& numbers, std::vector<aligned_buffer>& buffers, Begin begin, End end) {
  std::vector<store_completion> completions;
  std::vector<std::uint64_t> running(depth), free(depth);
  std::iota(free.begin(), free.end(), 0);
  for (std::size_t next = 0, ended = 0; ended < numbers.size();) {
    while (next < numbers.size() && !free.empty()) {
      const auto slot = free.back();
      running[slot] = numbers[next++];
      if (begin(running[slot], buffers[slot].bytes(), slot) != store_result::pending) fail("an operation was refused");
      free.pop_back();
    }
    store.wait(0, std::chrono::milliseconds(1000), completions);
    for (const auto& each : completions) {
      end(each.result, buffers[each.ticket.value].bytes(), running[each.ticket.value]);
      free.push_back(each.ticket.value);
      ++ended;
    }
    completions.clear();
  }
}

struct measured {
  double seconds = 0, cpu = 0;
};

template <class F>
measured measure(F&& run) {
  const auto cpu = cpu_seconds();
  const auto seconds = bench::seconds_of(run);
  return {seconds, cpu_seconds() - cpu};
}

void row(const char* name, std::uint64_t block_bytes, std::uint64_t bytes, const measured& put, const measured& get) {
  const auto gb = static_cast<double>(bytes) / 1e9;
  std::printf("%-28s %6.0f KiB   put %7.0f MB/s, %5.2f CPU s/GB   get %7.0f MB/s, %5.2f CPU s/GB\n", name,
              static_cast<double>(block_bytes) / 1024, gb * 1e3 / put.seconds, put.cpu / gb, gb * 1e3 / get.seconds, get.cpu / gb);
}

/// The disk without a store: one file, the same size of operation and depth.
void bench_raw(const fs::path& folder, std::uint64_t block_bytes, std::uint64_t bytes) {
  auto made = make_uring_io(depth);
  if (!made) return;
  auto& io = **made;
  const int file = ::open((folder / "raw").c_str(), O_RDWR | O_CREAT | O_DIRECT, 0600);
  if (file < 0 || io.allocate(file, bytes) != 0) {
    if (file >= 0) ::close(file);
    return;
  }
  std::vector<aligned_buffer> buffers;
  for (std::uint32_t i = 0; i < depth; ++i) {
    buffers.emplace_back(block_bytes);
    std::memset(buffers.back().bytes().data(), 1, block_bytes);
  }
  const auto all = [&](io_operation::kind what) {
    std::vector<io_completion> done;
    std::uint64_t next = 0, ended = 0;
    const auto count = bytes / block_bytes;
    const auto start = [&](std::uint64_t slot) {
      if (next < count) io.submit({what, file, block_bytes * next++, {iovec{buffers[slot].bytes().data(), block_bytes}, iovec{}}, slot});
    };
    for (std::uint32_t slot = 0; slot < depth; ++slot) start(slot);
    while (ended < count) {
      io.reap(done, std::chrono::milliseconds(1000));
      for (const auto& each : done) {
        ++ended;
        start(each.id);
      }
      done.clear();
    }
  };
  const auto put = measure([&] { all(io_operation::kind::write); });
  const auto get = measure([&] { all(io_operation::kind::read); });
  ::close(file);
  fs::remove(folder / "raw");
  row("the disk itself", block_bytes, bytes / block_bytes * block_bytes, put, get);
}

void bench_store(const char* name, disk_store_options options, std::uint64_t block_bytes, std::uint64_t bytes, bench::result_hash& hash) {
  const auto count = std::max<std::uint64_t>(bytes / block_bytes, 4);
  options.budget_bytes = std::max(2 * count * (block_bytes + 8192), 8 * options.segment_bytes) / page_bytes * page_bytes;
  options.operations_max = depth;
  auto opened = disk_store::open(options, 0);
  if (!opened) fail(opened.error().message);
  auto& store = **opened;
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 1);
  std::vector<aligned_buffer> buffers;
  for (std::uint32_t i = 0; i < depth; ++i) {
    buffers.emplace_back(block_bytes);
    std::memset(buffers.back().bytes().data(), 0, block_bytes);
  }
  const auto put = measure([&] {
    pump(
        store, numbers, buffers,
        [&](std::uint64_t number, std::span<std::byte> buffer, std::uint64_t slot) {
          fill(buffer.first(block_bytes), number);
          return store.put(0, block_of(number), buffer.first(block_bytes), {slot});
        },
        [](store_result result, auto, auto) {
          if (result != store_result::stored) fail("a put failed");
        });
  });
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(1));
  const auto get = measure([&] {
    pump(
        store, numbers, buffers,
        [&](std::uint64_t number, std::span<std::byte> buffer, std::uint64_t slot) {
          return store.get(0, block_of(number), buffer.first(block_bytes), {slot});
        },
        [&](store_result result, std::span<std::byte> buffer, std::uint64_t number) {
          if (result != store_result::loaded || !is_filled(buffer.first(block_bytes), number)) fail("a block came back with other bytes");
        });
  });
  hash.add(store.counts().loaded);
  hash.add(store.counts().bytes_live);
  row(name, block_bytes, count * block_bytes, put, get);
  opened = failure{};
  fs::remove_all(options.folder);
}

void bench_opening(disk_store_options options, std::uint64_t count, bench::result_hash& hash) {
  options.budget_bytes = std::max(2 * count * 3 * page_bytes, 8 * options.segment_bytes) / page_bytes * page_bytes;
  options.operations_max = depth;
  auto opened = disk_store::open(options, 0);
  if (!opened) fail(opened.error().message);
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 1);
  std::vector<aligned_buffer> buffers;
  for (std::uint32_t i = 0; i < depth; ++i) buffers.emplace_back(page_bytes);
  pump(
      **opened, numbers, buffers,
      [&](std::uint64_t number, std::span<std::byte> buffer, std::uint64_t slot) {
        fill(buffer, number);
        return (*opened)->put(0, block_of(number), buffer, {slot});
      },
      [](store_result result, auto, auto) {
        if (result != store_result::stored) fail("a put failed");
      });
  opened = failure{};
  const auto open_again = [&] {
    const auto taken = measure([&] { opened = disk_store::open(options, 0); });
    if (!opened || (*opened)->counts().blocks != count) fail("blocks are missing after opening");
    hash.add((*opened)->counts().blocks);
    const auto scanned = (*opened)->opening().segments_scanned;
    std::printf("opening %llu blocks, %llu segments, %llu of them without footer: %.1f ms, %.1f CPU ms\n",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>((*opened)->counts().segments),
                static_cast<unsigned long long>(scanned), taken.seconds * 1e3, taken.cpu * 1e3);
    opened = failure{};
  };
  open_again();
  // As a killed process leaves it: the last segment without footer and trailer.
  fs::path last;
  for (const auto& each : fs::directory_iterator(options.folder))
    if (each.path().extension() == ".blocks" && (last.empty() || each.path() > last)) last = each.path();
  fs::resize_file(last, fs::file_size(last) - page_bytes);
  open_again();
  fs::remove_all(options.folder);
}

}  // namespace

int main(int argc, char** argv) {
  sizes sizes;
  std::string parent = fs::temp_directory_path().string();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--small")
      sizes = {8 << 20, 500, 8 << 20};
    else if (argument == "--folder" && i + 1 < argc)
      parent = argv[++i];
    else
      return std::printf("usage: store_bench [--small] [--folder PATH]\n"), 2;
  }
  bench::print_header("store_bench");
  test::temporary_folder folder(parent);
  disk_store_options options;
  options.folder = folder.path / "store";
  options.segment_bytes = sizes.segment_bytes;
  auto plain = options, sealed = options;
  plain.use_uring = plain.use_direct = false;
  sealed.cipher = std::make_shared<block_cipher>(block_cipher::key{1, 2, 3});
  bench::result_hash hash;
  for (const std::uint64_t block_bytes : {64ULL << 10, 512ULL << 10, 3584ULL << 10}) {
    bench_raw(folder.path, block_bytes, sizes.bytes);
    bench_store("io_uring, O_DIRECT", options, block_bytes, sizes.bytes, hash);
    bench_store("the same, encrypted", sealed, block_bytes, sizes.bytes, hash);
    bench_store("pread, pwrite, page cache", plain, block_bytes, sizes.bytes, hash);
  }
  bench_opening(options, sizes.opening_blocks, hash);
  std::printf("result hash %016llx\n", static_cast<unsigned long long>(hash.value()));
  return 0;
}
