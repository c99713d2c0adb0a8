// Random histories of a disk store beside a std::map that does the same, with restarts; and random damage to its files. Seeds are fixed;
// TROUPE_STORE_ROUNDS makes it longer.
#include <fstream>
#include <random>
#include <set>

#include "engine/store/segment_file.hpp"
#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;
namespace fs = std::filesystem;

namespace {

int rounds() {
  const char* wanted = std::getenv("TROUPE_STORE_ROUNDS");
  return wanted == nullptr ? 12 : std::atoi(wanted);
}

constexpr std::uint64_t numbers = 120;
std::size_t size_of(std::uint64_t number) { return 1 + mixed(number) % 30'000; }

/// What must hold of a store, whatever happened: a block is there only if the model has it, and then unexpired and with its bytes. The
/// model forgets what an event says was removed, so a block that vanishes without an event is found.
class twin {
 public:
  explicit twin(std::uint64_t seed) : random_(seed) {
    options_ = small_options(folder_.path);
    options_.segment_bytes = 128 << 10;
    options_.budget_bytes = (4 + random_() % 12) * options_.segment_bytes;
    options_.use_uring = random_() % 2 == 0;
    options_.use_direct = random_() % 2 == 0;
    if (random_() % 3 == 0) options_.write_bytes_per_s = 2 << 20;
    if (random_() % 3 == 0) {
      block_cipher::key key{};
      options_.cipher = std::make_shared<block_cipher>(key);
    }
    store_ = open_good(options_, now_);
  }

  /// Returns how many steps it has taken.
  int run(int steps) {
    for (int step = 0; step < steps; ++step) {
      now_ += static_cast<unix_ms>(random_() % 20);
      switch (random_() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
          put();
          break;
        case 6:
        case 7:
        case 8:
        case 9:
        case 10:
        case 11:
          get();
          break;
        case 12:
          drop();
          break;
        case 13:
          collect(settle(*store_, now_));
          break;
        case 14:
          poll();
          break;
        default:
          if (random_() % 12 == 0) restart();
      }
      follow_events();
      check_sound(*store_);
    }
    collect(settle(*store_, now_));
    follow_events();
    compare();
    return steps;
  }

 private:
  /// A repeated put may have made a block live longer than its record says, which a restart forgets.
  struct life {
    unix_ms written = 0, longest = 0;
  };
  std::uint64_t draw() { return random_() % numbers; }

  void put() {
    const auto number = draw();
    auto block = sample_block(number);
    if (random_() % 4 == 0) block.retention.expires = now_ + static_cast<unix_ms>(random_() % 2000);
    if (random_() % 8 == 0) block.retention.priority = 95;
    const auto ticket = next_ticket_++;
    auto& memory = memory_[ticket] = sample_payload(number, size_of(number));
    const auto result = store_->put(now_, block, memory, {ticket});
    if (result != store_result::pending) memory_.erase(ticket);
    if (result == store_result::present && known_.contains(number)) refresh(known_[number].longest, block.retention.expires);
    if (result == store_result::pending) puts_[ticket] = {number, block.retention.expires};
  }
  static void refresh(unix_ms& known, unix_ms expires) { known = known == 0 || expires == 0 ? 0 : std::max(known, expires); }
  void get() {
    const auto number = draw();
    const auto ticket = next_ticket_++;
    auto& memory = memory_[ticket];
    memory.resize(size_of(number));
    const auto result = store_->get(now_, sample_block(number), memory, {ticket});
    if (result == store_result::pending) {
      gets_[ticket] = number;
      return;
    }
    memory_.erase(ticket);
    follow_events();
    CHECK((result == store_result::missing || result == store_result::busy));
    if (result == store_result::missing) CHECK_FALSE(known_.contains(number));
  }
  void drop() {
    std::vector<block_hash> hashes{sample_block(draw()).block.hash, sample_block(draw()).block.hash};
    store_->drop(hashes);
    for (auto& [ticket, put] : puts_)
      if (const auto hash = sample_block(put.first).block.hash; hash == hashes[0] || hash == hashes[1]) dropped_.insert(ticket);
  }
  void poll() {
    std::vector<store_completion> completions;
    store_->poll(now_, completions);
    std::map<std::uint64_t, store_completion> by_ticket;
    for (const auto& each : completions) by_ticket.emplace(each.ticket.value, each);
    collect(by_ticket);
  }
  void collect(const std::map<std::uint64_t, store_completion>& completions) {
    for (const auto& [ticket, completion] : completions) {
      if (const auto put = puts_.find(ticket); put != puts_.end()) {
        CHECK(completion.result == (dropped_.contains(ticket) ? store_result::dropped : store_result::stored));
        if (completion.result == store_result::stored) stored_expiry_[put->second.first] = put->second.second;
        puts_.erase(put);
      } else {
        const auto number = gets_.at(ticket);
        CHECK(completion.result == store_result::loaded);
        CHECK(completion.retention.role == sample_block(number).retention.role);
        if (memory_.at(ticket) != sample_payload(number, size_of(number))) FAIL_CHECK("block " << number << " came back with other bytes");
        gets_.erase(ticket);
      }
      memory_.erase(ticket);
    }
  }
  void follow_events() {
    for (const auto& event : store_->take_events()) {
      std::uint64_t number = 0;
      while (sample_block(number).block != event.change.block) ++number;
      if (event.change.what == core::block_event::kind::stored) {
        CHECK(known_.emplace(number, life{stored_expiry_[number], stored_expiry_[number]}).second);
        continue;
      }
      CHECK(known_.erase(number) == 1);
    }
  }
  void restart() {
    collect(settle(*store_, now_));
    follow_events();
    store_.reset();
    store_ = open_good(options_, now_);
    CHECK(store_->opening().damaged == 0);
    CHECK(store_->opening().segments_scanned == 0);
    std::map<std::uint64_t, life> found;
    for (const auto& event : store_->snapshot())
      for (const auto& [number, life] : known_)
        if (sample_block(number).block == event.change.block) found[number] = life;
    CHECK(found.size() == store_->counts().blocks);
    for (const auto& [number, life] : known_) {
      if (is_over(life.longest)) CHECK_FALSE(found.contains(number));
      if (!is_over(life.written)) CHECK(found.contains(number));
    }
    known_ = found;
  }
  [[nodiscard]] bool is_over(unix_ms expires) const { return expires != 0 && expires <= now_; }
  void compare() {
    CHECK(store_->counts().blocks == known_.size());
    for (std::uint64_t number = 0; number < numbers; ++number)
      CHECK(store_->holds(sample_block(number).block.hash, sample_layout) == known_.contains(number));
  }

  temporary_folder folder_;
  std::mt19937_64 random_;
  disk_store_options options_;
  std::unique_ptr<disk_store> store_;
  unix_ms now_ = 1'000'000;
  std::uint64_t next_ticket_ = 1;
  std::map<std::uint64_t, std::vector<std::byte>> memory_;           ///< by ticket
  std::map<std::uint64_t, std::pair<std::uint64_t, unix_ms>> puts_;  ///< number and expiry by ticket
  std::map<std::uint64_t, std::uint64_t> gets_;
  std::set<std::uint64_t> dropped_;      ///< tickets
  std::map<std::uint64_t, life> known_;  ///< by number: what is stored
  std::map<std::uint64_t, unix_ms> stored_expiry_;
};

/// Bits, bytes, pages, stretches of another file, cuts: up to four of them.
void damage(std::string& content, const std::string& other, std::mt19937_64& random) {
  for (auto count = 1 + random() % 4; count > 0 && !content.empty(); --count) {
    const auto at = random() % content.size();
    const auto length = std::min<std::size_t>(random() % 9000, content.size() - at);
    switch (random() % 6) {
      case 0:
        content[at] = static_cast<char>(content[at] ^ 1 << random() % 8);
        break;
      case 1:
        content[at] = static_cast<char>(random());
        break;
      case 2:
        content.replace(at, length, std::string(length, static_cast<char>(random() % 3)));
        break;
      case 3:
        content.resize(at);
        break;
      case 4:
        if (at + length <= other.size()) content.replace(at, length, other.substr(at, length));
        break;
      default: {
        const auto from = random() % (content.size() / page_bytes + 1) * page_bytes, to = at / page_bytes * page_bytes;
        const auto page = content.substr(from, page_bytes);
        content.replace(to, page.size(), page);
      }
    }
  }
}

constexpr int variants = 25;  // of damage to one store

/// Returns how many damaged stores opened and took new blocks.
int fuzz(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  temporary_folder folder;
  auto options = small_options(folder.path);
  options.segment_bytes = 64 << 10;
  options.budget_bytes = 8 * options.segment_bytes;
  options.use_uring = options.use_direct = false;
  if (seed % 4 == 0) {
    block_cipher::key key{};
    options.cipher = std::make_shared<block_cipher>(key);
  }
  {
    const auto store = open_good(options);
    for (std::uint64_t number = 0; number < 14; ++number) put_sample(*store, number, 1 + mixed(number) % 9000);
    const auto hash = sample_block(2).block.hash;
    store->drop({&hash, 1});
  }
  std::map<fs::path, std::string> files;
  for (const auto& each : fs::directory_iterator(folder.path)) files[each.path()] = content_of(each.path());
  int opened = 0;
  for (int variant = 0; variant < variants; ++variant) {
    for (const auto& each : fs::directory_iterator(folder.path)) fs::remove(each.path());
    for (auto [path, content] : files) {
      if (random() % 2 == 0) damage(content, files.begin()->second, random);
      std::ofstream(path, std::ios::binary) << content;
    }
    const auto store = open_good(options);
    check_sound(*store);
    for (std::uint64_t number = 0; number < 14; ++number) get_sample(*store, number, 1 + mixed(number) % 9000);
    for (std::uint64_t number = 20; number < 40; ++number) CHECK(put_sample(*store, number, 8192) == store_result::stored);
    for (std::uint64_t number = 36; number < 40; ++number) CHECK(get_sample(*store, number, 8192) == store_result::loaded);
    check_sound(*store);
    ++opened;
  }
  return opened;
}

}  // namespace

TEST_CASE("a disk store does what a map does, restarts included") {
  for (int round = 0; round < rounds(); ++round) {
    CAPTURE(round);
    CHECK(twin(static_cast<std::uint64_t>(round) + 100).run(700) == 700);
  }
}

TEST_CASE("no damage to its files makes a store return wrong bytes, fail to open or refuse new blocks") {
  for (int round = 0; round < rounds(); ++round) {
    CAPTURE(round);
    CHECK(fuzz(static_cast<std::uint64_t>(round)) == variants);
  }
}
