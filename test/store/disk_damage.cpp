// What happens to a disk store's files behind its back: kills, flipped bits, cuts. Whatever it still returns is right.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/store/segment_file.hpp"
#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 8192;
constexpr std::uint64_t block_count = 12;

/// A sealed segment of block_count blocks; its path.
fs::path make_segment(const disk_store_options& options) {
  const auto store = open_good(options);
  for (std::uint64_t number = 0; number < block_count; ++number) REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
  return segment_path(options.folder, 1);
}

/// Replaces the folder's content by one segment file, opens, and loads all blocks: how many came back (with right bytes).
std::uint64_t count_loaded(const disk_store_options& options, const fs::path& file, const std::string& content,
                           disk_store_opening* opening = nullptr) {
  for (const auto& each : fs::directory_iterator(options.folder)) fs::remove(each.path());
  write_file(file, content);
  std::uint64_t loaded = 0;
  {
    const auto store = open_good(options);
    if (opening != nullptr) *opening = store->opening();
    for (std::uint64_t number = 0; number < block_count; ++number) {
      const auto result = get_sample(*store, number, block_bytes);
      loaded += result == store_result::loaded;
      CHECK((result == store_result::loaded || result == store_result::missing || result == store_result::corrupt ||
             result == store_result::mismatched));
    }
    check_sound(*store);
    CHECK(put_sample(*store, 100, block_bytes) == store_result::stored);
    CHECK(get_sample(*store, 100, block_bytes) == store_result::loaded);
  }
  // What was found to be corrupt is not there again.
  const auto store = open_good(options);
  CHECK(store->counts().blocks == loaded + 1);
  return loaded;
}

disk_store_options plain_options(const fs::path& folder) {
  auto options = small_options(folder);
  options.use_uring = false;  // the damage is the same and the rounds are many
  options.use_direct = false;
  return options;
}

}  // namespace

TEST_CASE("a flipped bit anywhere in a segment costs at most the block it hits") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto file = make_segment(options);
  const auto whole = content_of(file);
  std::mt19937_64 random(17);
  for (int round = 0; round < 400; ++round) {
    // Every page is hit in its first 128 bytes, where fronts, pages and footers have their fields, and somewhere else.
    const auto page = static_cast<std::size_t>(round) % (whole.size() / page_bytes);
    const auto byte = page * page_bytes + (round % 3 == 0 ? random() % page_bytes : random() % 128);
    auto damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1 << random() % 8);
    CAPTURE(byte);
    CHECK(count_loaded(options, file, damaged) >= block_count - 1);
  }
}

TEST_CASE("a page of garbage or zeros anywhere costs at most the block it hits") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto file = make_segment(options);
  const auto whole = content_of(file);
  std::mt19937_64 random(18);
  for (std::size_t at = 0; at < whole.size(); at += page_bytes)
    for (const bool zero : {true, false}) {
      auto damaged = whole;
      for (std::size_t i = 0; i < page_bytes; ++i) damaged[at + i] = zero ? '\0' : static_cast<char>(random());
      CAPTURE(at);
      CHECK(count_loaded(options, file, damaged) >= block_count - 1);
    }
}

TEST_CASE("a segment cut at any kind of offset keeps the blocks before the cut") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto file = make_segment(options);
  const auto whole = content_of(file);
  const std::size_t record_bytes = page_bytes + block_bytes;
  for (std::size_t cut = 0; cut < whole.size(); cut += page_bytes)
    for (const std::size_t beside : {0, 1, 40, 95, 4095}) {
      const auto size = cut + beside;
      CAPTURE(size);
      disk_store_opening opening;
      const auto records_end = page_bytes + block_count * record_bytes;
      const auto kept = size < page_bytes ? 0 : std::min<std::size_t>(size, records_end) - page_bytes;
      CHECK(count_loaded(options, file, whole.substr(0, size), &opening) == kept / record_bytes);
    }
  auto longer = whole + std::string(3 * page_bytes, 'x');
  CHECK(count_loaded(options, file, longer) == block_count);
}

TEST_CASE("segments that claim each other's place, and files that are none, mislead nobody") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto whole = content_of(make_segment(options));
  CHECK(count_loaded(options, segment_path(options.folder, 2), whole) == 0);  // every front names its segment
  write_file(options.folder / "0000000000000003.blocks", "");
  write_file(options.folder / "0000000000000004.blocks", std::string(100'000, 'z'));
  write_file(options.folder / "0000000000000005.dead", std::string(100, 'z'));
  write_file(options.folder / "notes.txt", "not ours");
  auto newer = std::string(whole);
  newer[8] = 2;  // and its page's checksum no longer fits: read as damaged, not as another version
  write_file(segment_path(options.folder, 1), newer);
  const auto store = open_good(options);
  CHECK(get_sample(*store, 3, block_bytes) == store_result::loaded);
  check_sound(*store);
  CHECK(fs::exists(options.folder / "notes.txt"));
  CHECK_FALSE(fs::exists(options.folder / "0000000000000005.dead"));
}

TEST_CASE("a footer that lies with a right checksum leads to no wrong block") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto file = make_segment(options);
  const auto whole = content_of(file);
  auto content = read_segment(options.folder, 1, 0);
  REQUIRE(content);
  const auto& truth = content->entries;
  REQUIRE(truth.size() == block_count);
  const auto with_footer = [&](const std::vector<disk_entry>& entries) {
    const auto footer = make_segment_footer(1, content->end, entries, 0);
    return whole.substr(0, content->end) + std::string(reinterpret_cast<const char*>(footer.bytes().data()), footer.size());
  };
  CHECK(with_footer(truth) == whole);
  auto lie = truth;
  std::swap(lie[2].offset, lie[3].offset);
  CHECK(count_loaded(options, file, with_footer(lie)) == block_count - 2);
  lie = truth;
  lie[5].offset = content->end + page_bytes;  // impossible: the records are read instead
  CHECK(count_loaded(options, file, with_footer(lie)) == block_count);
  lie = truth;
  lie[5].offset += page_bytes;
  lie[6].payload_bytes -= 1;
  lie[7].front_bytes += 8;
  lie[8].check ^= 1;
  lie[9].scope.value ^= 1;
  for (const auto& each : fs::directory_iterator(options.folder)) fs::remove(each.path());
  write_file(file, with_footer(lie));
  const auto store = open_good(options);
  std::uint64_t loaded = 0;
  for (std::uint64_t number = 0; number < block_count; ++number) loaded += get_sample(*store, number, block_bytes) == store_result::loaded;
  CHECK(loaded == block_count - 5);
  for (std::uint64_t number = 0; number < block_count; ++number) {
    const auto result = put_sample(*store, number, block_bytes);
    CHECK((result == store_result::stored || result == store_result::present));
    CHECK(get_sample(*store, number, block_bytes) == store_result::loaded);
  }
}

TEST_CASE("a segment of another format version is removed") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  const auto file = make_segment(options);
  auto newer = content_of(file);
  newer[8] = 2;
  const auto checksum = XXH3_64bits(newer.data(), page_bytes - 8);
  std::memcpy(newer.data() + page_bytes - 8, &checksum, 8);
  disk_store_opening opening;
  CHECK(count_loaded(options, file, newer, &opening) == 0);
  CHECK(opening.segments_removed == 1);
  CHECK(opening.damaged == 0);
}

TEST_CASE("a damaged note of dropped records brings at most the dropped block back") {
  temporary_folder folder;
  const auto options = plain_options(folder.path);
  {
    const auto store = open_good(options);
    for (std::uint64_t number = 0; number < 3; ++number) REQUIRE(put_sample(*store, number, block_bytes) == store_result::stored);
    const auto hash = sample_block(1).block.hash;
    CHECK(store->drop({&hash, 1}) == 1);
  }
  const auto note = dead_path(options.folder, 1);
  const auto content = content_of(note);
  REQUIRE(content.size() == 16);
  CHECK(open_good(options)->counts().blocks == 2);
  write_file(note, content.substr(0, 9));
  {
    const auto store = open_good(options);
    CHECK(store->counts().blocks == 2);  // the footer was written after the drop
    const auto hash = sample_block(2).block.hash;
    CHECK(store->drop({&hash, 1}) == 1);
  }
  CHECK(content_of(note).size() == 16);  // the piece was overwritten
  CHECK(open_good(options)->counts().blocks == 1);
}

namespace {

/// Puts, drops and loads for ever, and writes through the pipe the number of each block whose put was answered; a negative number is a
/// drop that returned.
[[noreturn]] void work_until_killed(const disk_store_options& options, int acknowledge) {
  auto opened = disk_store::open(options, 0);
  if (!opened) ::_exit(1);
  auto& store = **opened;
  std::vector<aligned_buffer> payloads;
  for (int i = 0; i < 8; ++i) payloads.emplace_back(block_bytes);
  std::vector<store_completion> completions;
  for (std::int64_t number = 1;; ++number) {
    auto& payload = payloads[static_cast<std::size_t>(number) % 8];
    fill_payload(static_cast<std::uint64_t>(number), payload.bytes());
    const auto begun =
        store.put(0, sample_block(static_cast<std::uint64_t>(number)), payload.bytes(), {static_cast<std::uint64_t>(number)});
    if (begun != store_result::pending && begun != store_result::present) ::_exit(2);
    while (store.counts().in_flight > 7) store.wait(0, std::chrono::milliseconds(50), completions);
    for (const auto& each : completions) {
      const auto done = static_cast<std::int64_t>(each.ticket.value);
      if (each.result == store_result::stored && ::write(acknowledge, &done, sizeof done) != sizeof done) ::_exit(3);
    }
    completions.clear();
    if (number % 10 != 0) continue;
    const auto gone = number - 9;
    const auto hash = sample_block(static_cast<std::uint64_t>(gone)).block.hash;
    if (store.drop({&hash, 1}) == 0) continue;
    const auto said = -gone;
    if (::write(acknowledge, &said, sizeof said) != sizeof said) ::_exit(4);
  }
}

/// Lets a child work until it said `enough` things, kills it: which blocks must be there (true) or must not (false).
std::map<std::uint64_t, bool> kill_worker(const disk_store_options& options, std::size_t enough) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) work_until_killed(options, ends[1]);
  ::close(ends[1]);
  std::map<std::uint64_t, bool> said;
  std::int64_t number = 0;
  std::size_t count = 0;
  while (::read(ends[0], &number, sizeof number) == sizeof number) {
    said[static_cast<std::uint64_t>(number < 0 ? -number : number)] = number > 0;
    if (++count == enough) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  return said;
}

}  // namespace

TEST_CASE("a process killed at any moment loses no block whose put was answered and returns none that was dropped") {
  std::mt19937 random(5);
  for (int round = 0; round < 24; ++round) {
    CAPTURE(round);
    temporary_folder folder;
    auto options = small_options(folder.path);
    options.budget_bytes = 1024 * options.segment_bytes;  // more than fits the pipe unread: nothing is reclaimed
    options.use_uring = round % 3 != 0;
    options.use_direct = round % 2 == 0;
    if (round % 4 == 3) options.cipher = std::make_shared<block_cipher>(block_cipher::key{});
    const auto said = kill_worker(options, 1 + random() % 300);
    const auto found = open_good(options)->counts().blocks;
    const auto store = open_good(options);
    CHECK(store->opening().segments_scanned == 0);  // the first opening has sealed what it found
    CHECK(store->counts().blocks == found);
    check_sound(*store);
    std::uint64_t next_drop = 1;
    for (const auto& [number, is_there] : said)
      if (!is_there) next_drop = number + 10;
    for (const auto& [number, is_there] : said) {
      const auto result = get_sample(*store, number, block_bytes);
      const bool may_be_gone = number == next_drop && result == store_result::missing;  // done, and not yet said
      if (result != (is_there ? store_result::loaded : store_result::missing) && !may_be_gone)
        FAIL_CHECK("block " << number << ": " << name_of(result));
    }
    CHECK(store->counts().corrupt == 0);
    CHECK(put_sample(*store, 1'000'000, block_bytes) == store_result::stored);
  }
}

TEST_CASE("a store killed over and over within a small budget stays sound") {
  temporary_folder folder;
  auto options = small_options(folder.path);
  std::mt19937 random(6);
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    kill_worker(options, 100 + random() % 600);
    const auto store = open_good(options);
    check_sound(*store);
    CHECK(store->counts().bytes_used <= options.budget_bytes);
    std::uint64_t loaded = 0;
    for (std::uint64_t number = 1; number < 3000; ++number) loaded += get_sample(*store, number, block_bytes) == store_result::loaded;
    CHECK(loaded == store->counts().blocks);
  }
}
