// Lines of the audit log, the file they go to, and what happens when there is no room.
#include "gateway/audit_log.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <future>

#include "test/support/files.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::content_of;

namespace {

namespace fs = std::filesystem;

audit_record sample() {
  audit_record record;
  record.request = {1'700'000'000'123,
                    "127.0.0.1",
                    "acme",
                    "ci",
                    "r-1",
                    "lead",
                    "POST",
                    "/v1/chat/completions",
                    200,
                    0.25,
                    false,
                    R"({"messages":[{"content":"use sk-1\n"}]})"};
  record.turn = {"small", true, 12, 8, 3, "Bearer abc def"};
  return record;
}

const std::string head_of_sample =
    R"({"at_ms":1700000000123,"client":"127.0.0.1","tenant":"acme","key":"ci","request":"r-1","session":"lead","method":"POST",)"
    R"("path":"/v1/chat/completions","model":"small","status":200,"latency_us":250000,"prompt_tokens":12,"cached_tokens":8,"output_tokens":3)";
const std::vector<std::string> patterns{"sk-*", "Bearer *"};

mode_t mode_of(const fs::path& file) {
  struct stat status {};
  ::stat(file.c_str(), &status);
  return status.st_mode & 0777;
}

bool tells(const audit_log& log, const std::string& line) { return log.metrics().find(line + "\n") != std::string::npos; }

}  // namespace

TEST_CASE("a line says who, when, what, with which outcome") {
  CHECK(audit_line(sample(), {}) == head_of_sample + "}");
  CHECK(audit_line({}, {}) ==
        R"({"at_ms":0,"client":null,"tenant":null,"key":null,"request":null,"session":null,"method":null,"path":null,"model":null,)"
        R"("status":null,"latency_us":0,"prompt_tokens":null,"cached_tokens":null,"output_tokens":null})");
  auto repeat = sample();
  repeat.request.is_repeat = true;
  CHECK(audit_line(repeat, {}) == head_of_sample + R"(,"repeat":true})");
}

TEST_CASE("a digest is that of the bytes as they came") {
  auto record = sample();
  record.request.body = "abc";
  record.turn.answer.clear();
  CHECK(audit_line(record, {audit_content::digest, patterns, 1}) ==
        head_of_sample + R"(,"body_bytes":3,"body_sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")" +
            R"(,"answer_bytes":0,"answer_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"})");
}

TEST_CASE("full content is redacted string by string, then cut") {
  CHECK(audit_line(sample(), {audit_content::full, patterns, 1000}) ==
        head_of_sample + R"(,"body_bytes":39,"body":"{\"messages\":[{\"content\":\"use [redacted]\\n\"}]}",)" +
            R"("answer_bytes":14,"answer":"[redacted] def"})");
  CHECK(audit_line(sample(), {audit_content::full, patterns, 4}).ends_with(R"("body":"{\"me","answer_bytes":14,"answer":"[red"})"));
  auto lost = sample();
  lost.content_lost = true;
  CHECK(audit_line(lost, {audit_content::full, patterns, 4}) == head_of_sample + R"(,"content_lost":true})");
  auto told = sample();
  told.request.path = "/v1/sessions/sk-12";
  CHECK(audit_line(told, {audit_content::none, patterns, 4}).find(R"("path":"/v1/sessions/[redacted]")") != std::string::npos);
}

TEST_CASE("a secret is found however its body spells it") {
  CHECK(redacted_body(R"({"a":["Bearer x\/y"],"sk-9":1})", patterns) == R"({"a":["[redacted]"],"[redacted]":1})");
  CHECK(redacted_body("not JSON: sk-1 \"x\"", patterns) == "not JSON: [redacted] \"x\"");
  CHECK(redacted_body(R"({"cut":"sk-1)", patterns) == R"({"cut":"[redacted])");
}

TEST_CASE("the file is its owner's alone, and goes on over a restart") {
  const test::temporary_folder place;
  const auto file = place.path / "audit.jsonl";
  std::ofstream(file) << "before\n";
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_read);
  {
    auto opened = audit_file::open(file, {100, 2});
    REQUIRE(opened);
    CHECK(opened->write("one\n"));
  }
  CHECK(content_of(file) == "before\none\n");
  CHECK(mode_of(file) == 0600);
  CHECK(audit_file::open(place.path / "none" / "audit.jsonl", {100, 2}).error().code == errc::io_failed);
  CHECK(audit_file::open(place.path, {100, 2}).error().param == "audit.file");
}

TEST_CASE("a file that would grow past its bound makes place, and the oldest goes") {
  const test::temporary_folder place;
  const auto file = place.path / "audit.jsonl";
  auto opened = audit_file::open(file, {10, 2});
  REQUIRE(opened);
  for (const auto* line : {"first\n", "2nd\n", "third\n", "fourth\n", "longer than the bound\n"}) CHECK(opened->write(line));
  CHECK(content_of(file) == "longer than the bound\n");
  CHECK(content_of(file.string() + ".1") == "fourth\n");
  CHECK(content_of(file.string() + ".2") == "third\n");
  CHECK_FALSE(fs::exists(file.string() + ".3"));
  CHECK(mode_of(file.string() + ".1") == 0600);
}

TEST_CASE("what finds the queue full is lost and counted, and nobody waits") {
  std::promise<void> begun, go;
  std::vector<std::string> lines;
  {
    audit_options options;
    options.lines_waiting_max = 2;
    audit_log log(options, [&, first = true](const std::string& line) mutable {
      if (std::exchange(first, false)) {
        begun.set_value();
        go.get_future().wait();
      }
      lines.push_back(line);
      return lines.size() != 2;
    });
    log.add(sample(), 0);
    begun.get_future().wait();
    for (int i = 0; i < 5; ++i) log.add(sample(), 0);
    CHECK(tells(log, "troupe_audit_lines_lost_total 3"));
    CHECK(tells(log, "troupe_audit_lines_total 0"));
    go.set_value();
  }
  CHECK(lines.size() == 3);
  CHECK(lines[0] == head_of_sample + "}\n");
}

TEST_CASE("contents beyond what may be held go without their line, and make place when it is written") {
  std::vector<std::string> lines;
  audit_options options;
  options.style = {audit_content::full, {}, 100};
  options.held_bytes_max = 10;
  {
    const auto log = std::make_shared<audit_log>(options, [&](const std::string& line) { return lines.push_back(line), true; });
    audit_entry held(log), other(log);
    held.keep_body("12345678");
    other.keep_body("123");
    held.append_answer("9");
    held.append_answer("abc");
    CHECK(log->hold(1));
    CHECK_FALSE(log->hold(1));
  }
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) CHECK(line.find("\"content_lost\":true") != std::string::npos);
}
