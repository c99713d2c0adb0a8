// The journal's promises, one by one; torn files are made by cutting real ones at every byte.
#include "engine/store/journal.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <string>
#include <vector>

#include "messages/base/limits.hpp"
#include "test/support/files.hpp"

using namespace troupe;
using store::journal;
using test::content_of;
using test::temporary_folder;
using test::write_file;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

using texts = std::vector<std::string>;

journal::reader collect(texts& into) {
  return [&into](std::span<const std::byte> record) { into.emplace_back(reinterpret_cast<const char*>(record.data()), record.size()); };
}

std::unique_ptr<journal> open_good(const fs::path& file, texts& records) {
  records.clear();
  auto opened = journal::open(file, collect(records));
  REQUIRE(opened);
  return std::move(*opened);
}

/// A journal of three records, the second of them empty; returns its bytes.
std::string make_three(const fs::path& file) {
  texts none;
  const auto log = open_good(file, none);
  REQUIRE(log->append(as_bytes("first")));
  REQUIRE(log->append(as_bytes("")));
  REQUIRE(log->append(as_bytes("the third record")));
  return content_of(file);
}

}  // namespace

TEST_CASE("records come back in order after reopening") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  texts records;
  {
    const auto log = open_good(file, records);
    CHECK(records.empty());
    CHECK(log->bytes() == 16);
    const auto after = log->append(as_bytes("one"));
    REQUIRE(after);
    CHECK(*after == 16 + 16 + 3);
  }
  {
    const auto log = open_good(file, records);
    CHECK(records == texts{"one"});
    CHECK(log->bytes() == 35);
    REQUIRE(log->append(as_bytes(std::string(limits::journal_record_bytes_max, 'x'))));
    REQUIRE(log->append(as_bytes(std::string("a\0b", 3))));
  }
  const auto log = open_good(file, records);
  REQUIRE(records.size() == 3);
  CHECK(records[1] == std::string(limits::journal_record_bytes_max, 'x'));
  CHECK(records[2] == std::string("a\0b", 3));
  CHECK(log->bytes_cut() == 0);
}

TEST_CASE("a record that is too long is refused and changes nothing") {
  temporary_folder folder;
  texts records;
  const auto log = open_good(folder.path / "log", records);
  const auto refused = log->append(as_bytes(std::string(limits::journal_record_bytes_max + 1, 'x')));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::invalid_request);
  CHECK(log->bytes() == 16);
  CHECK(fs::file_size(folder.path / "log") == 16);
}

TEST_CASE("a file cut at any byte of its last record keeps all records before and takes new ones") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  const auto whole = make_three(file);
  const auto last = whole.size() - 16 - 16;
  for (auto size = last; size < whole.size(); ++size) {
    CAPTURE(size);
    write_file(file, whole.substr(0, size));
    texts records;
    {
      const auto log = open_good(file, records);
      CHECK(records == texts{"first", ""});
      CHECK(log->bytes_cut() == size - last);
      CHECK(fs::file_size(file) == last);
      REQUIRE(log->append(as_bytes("fourth")));
    }
    const auto log = open_good(file, records);
    CHECK(records == texts{"first", "", "fourth"});
    CHECK(log->bytes_cut() == 0);
  }
}

TEST_CASE("a journal that was cut inside its own header starts empty") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  const auto whole = make_three(file);
  for (std::size_t size = 0; size <= 16; ++size) {
    CAPTURE(size);
    write_file(file, whole.substr(0, size));
    texts records;
    CHECK(open_good(file, records)->bytes() == 16);
    CHECK(records.empty());
    CHECK(content_of(file) == whole.substr(0, 16));
  }
}

TEST_CASE("a flipped bit ends the journal before the record it hits") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  const auto whole = make_three(file);
  const std::size_t begins[] = {16, 16 + 21, 16 + 21 + 16, whole.size()};
  const texts all{"first", "", "the third record"};
  for (std::size_t bit = 16 * 8; bit < whole.size() * 8; ++bit) {
    CAPTURE(bit);
    auto damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    write_file(file, damaged);
    std::size_t intact = 0;
    while (begins[intact + 1] <= bit / 8) ++intact;
    texts records;
    const auto log = open_good(file, records);
    CHECK(records == texts(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(intact)));
    CHECK(log->bytes() == begins[intact]);
    CHECK(log->bytes_cut() == whole.size() - begins[intact]);
  }
}

TEST_CASE("a tail of zeros, as a file system may leave it, is cut") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  const auto whole = make_three(file);
  write_file(file, whole + std::string(4096, '\0'));
  texts records;
  const auto log = open_good(file, records);
  CHECK(records.size() == 3);
  CHECK(log->bytes_cut() == 4096);
}

TEST_CASE("what is not a journal is refused and left as it is") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  const auto whole = make_three(file);
  auto newer = whole;
  newer[8] = 2;
  for (const auto& content : {std::string("{\"json\": 1}"), std::string("x"), std::string(100, '\0'), newer}) {
    write_file(file, content);
    const auto opened = journal::open(file, {});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::corrupt_data);
    CHECK(content_of(file) == content);
  }
  const auto missing = journal::open(folder.path / "no" / "such" / "folder", {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::io_failed);
  CHECK_FALSE(journal::open(folder.path, {}));
  CHECK_FALSE(journal::open("/dev/null", {}));
}

TEST_CASE("a journal that is open is refused to a second opener") {
  temporary_folder folder;
  texts records;
  auto log = open_good(folder.path / "log", records);
  REQUIRE_FALSE(journal::open(folder.path / "log", {}));
  REQUIRE(log->rewrite([](const auto& add) { add(as_bytes("kept")); }));
  const auto second = journal::open(folder.path / "log", {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::io_failed);
  log.reset();
  CHECK(journal::open(folder.path / "log", {}));
}

TEST_CASE("rewriting replaces the content and appending goes on in the new file") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  make_three(file);
  texts records;
  {
    const auto log = open_good(file, records);
    const auto after = log->rewrite([](const auto& add) {
      add(as_bytes("a"));
      add(as_bytes(std::string(700'000, 'b')));
      add(as_bytes(std::string(700'000, 'c')));
    });
    REQUIRE(after);
    CHECK(*after == 16 + 3 * 16 + 1 + 1'400'000);
    CHECK(fs::file_size(file) == *after);
    REQUIRE(log->append(as_bytes("d")));
    CHECK_FALSE(fs::exists(folder.path / "log.new"));
  }
  open_good(file, records);
  CHECK(records == texts{"a", std::string(700'000, 'b'), std::string(700'000, 'c'), "d"});
}

TEST_CASE("what is appended while a thread writes anew is there at once, and in the new file when that takes its place") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  make_three(file);
  texts records;
  {
    const auto log = open_good(file, records);
    REQUIRE(log->begin_rewrite([](const auto& add) { add(as_bytes(std::string(700'000, 'b'))); }));
    REQUIRE(log->append(as_bytes("meanwhile")));
    write_file(folder.path / "seen", content_of(file));
    texts seen;
    open_good(folder.path / "seen", seen);
    CHECK(seen.back() == "meanwhile");
    const auto length = log->finish_rewrite();
    REQUIRE(length);
    CHECK(*length == 16 + 2 * 16 + 700'000 + 9);
    CHECK(fs::file_size(file) == *length);
    CHECK_FALSE(fs::exists(folder.path / "log.new"));
    REQUIRE(log->append(as_bytes("d")));
  }
  open_good(file, records);
  CHECK(records == texts{std::string(700'000, 'b'), "meanwhile", "d"});
}

TEST_CASE("a thread that cannot write anew leaves the old file, and the next one may") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  make_three(file);
  texts records;
  {
    const auto log = open_good(file, records);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const rlimit tight{100, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto begun = log->begin_rewrite([](const auto& add) { add(as_bytes(std::string(500, 'y'))); });
    const auto failed = log->finish_rewrite();
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    std::signal(SIGXFSZ, ignored);
    CHECK(begun);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == errc::io_failed);
    CHECK_FALSE(fs::exists(folder.path / "log.new"));
    REQUIRE(log->append(as_bytes("fourth")));
    const auto too_early = log->begin_rewrite([](const auto& add) { add(as_bytes("too early")); });
    CHECK(too_early);
    CHECK_FALSE(fs::exists(folder.path / "log.new"));
    texts seen;
    write_file(folder.path / "seen", content_of(file));
    open_good(folder.path / "seen", seen);
    CHECK(seen == texts{"first", "", "the third record", "fourth"});
    for (int i = 0; i < 2; ++i) REQUIRE(log->append(as_bytes(std::string(limits::journal_bytes_min / 2, 'x'))));
    REQUIRE_FALSE(log->begin_rewrite([](const auto& add) { add(as_bytes(std::string(limits::journal_record_bytes_max + 1, 'x'))); }));
    REQUIRE(log->begin_rewrite([](const auto& add) { add(as_bytes("anew")); }));
    REQUIRE(log->append(as_bytes("last")));
  }
  open_good(file, records);
  CHECK(records == texts{"anew", "last"});
  CHECK_FALSE(fs::exists(folder.path / "log.new"));
}

TEST_CASE("a rewrite that fails or throws leaves the old content") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  make_three(file);
  texts records;
  {
    const auto log = open_good(file, records);
    const auto refused = log->rewrite([](const auto& add) { add(as_bytes(std::string(limits::journal_record_bytes_max + 1, 'x'))); });
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid_request);
    CHECK_THROWS_AS((void)log->rewrite([](const auto&) { throw 7; }), int);
    CHECK_FALSE(fs::exists(folder.path / "log.new"));
    REQUIRE(log->append(as_bytes("fourth")));
  }
  open_good(file, records);
  CHECK(records == texts{"first", "", "the third record", "fourth"});
}

TEST_CASE("a full disk leaves nothing partial, and the journal goes on when there is room") {
  temporary_folder folder;
  const auto file = folder.path / "log";
  texts records;
  {
    const auto log = open_good(file, records);
    REQUIRE(log->append(as_bytes("before")));
    // A file size limit makes the kernel write what fits and then refuse, as a full disk does.
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
    const rlimit tight{100, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto refused = log->append(as_bytes(std::string(500, 'x')));
    const auto size = fs::file_size(file);
    const auto rewritten = log->rewrite([](const auto& add) { add(as_bytes(std::string(500, 'y'))); });
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
    std::signal(SIGXFSZ, ignored);

    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::io_failed);
    CHECK(size == 38);
    CHECK(log->bytes() == 38);
    REQUIRE_FALSE(rewritten);
    CHECK(rewritten.error().code == errc::io_failed);
    REQUIRE(log->append(as_bytes("after")));
  }
  open_good(file, records);
  CHECK(records == texts{"before", "after"});
}

namespace {

/// Appends "0", "1", ... for ever, and says through the pipe how many are in.
[[noreturn]] void append_until_killed(const fs::path& file, int acknowledge) {
  auto log = journal::open(file, {});
  if (!log) ::_exit(1);
  for (std::uint32_t i = 0;; ++i) {
    if (!(*log)->append(as_bytes(std::to_string(i) + std::string(i % 5000, '.')))) ::_exit(2);
    const std::uint32_t count = i + 1;
    if (::write(acknowledge, &count, sizeof count) != sizeof count) ::_exit(3);
  }
}

}  // namespace

TEST_CASE("a process killed while appending loses no record that was acknowledged") {
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    temporary_folder folder;
    const auto file = folder.path / "log";
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) append_until_killed(file, ends[1]);
    ::close(ends[1]);
    const std::uint32_t enough = 1 + random() % 400;
    std::uint32_t acknowledged = 0, count = 0;
    bool killed = false;
    while (::read(ends[0], &count, sizeof count) == sizeof count) {
      acknowledged = count;
      if (acknowledged >= enough && !killed) killed = ::kill(child, SIGKILL) == 0;
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    texts records;
    open_good(file, records);
    CHECK(acknowledged >= enough);
    CHECK(records.size() >= acknowledged);
    CHECK(records.size() <= acknowledged + 1);
    for (std::uint32_t i = 0; i < records.size(); ++i)
      if (records[i] != std::to_string(i) + std::string(i % 5000, '.')) FAIL_CHECK("record " << i << " is not what was appended");
  }
}
