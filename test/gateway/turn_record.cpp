#include "gateway/turn_record.hpp"

#include <doctest/doctest.h>

#include <ostream>

using namespace troupe::gateway;

namespace {

using progress = turn_record::progress;

struct reading {
  progress seen;
  std::string text;
  std::uint64_t next;
  bool operator==(const reading&) const = default;
};

reading read(const turn_record& record, std::uint64_t next, std::size_t bytes_max = 1 << 20) {
  reading result{progress::waiting, {}, next};
  result.seen = record.read(result.next, bytes_max, result.text);
  return result;
}

std::ostream& operator<<(std::ostream& out, const reading& each) {
  return out << static_cast<int>(each.seen) << " '" << each.text << "' then " << each.next;
}

}  // namespace

TEST_CASE("frames are numbered from 1 and read from any of them on") {
  turn_record record(1 << 20);
  CHECK(read(record, 1) == reading{progress::waiting, "", 1});
  record.begin({});
  CHECK(read(record, 1) == reading{progress::streaming, "", 1});
  record.append("data: a\n\nevent: x\ndata: b\n\n");
  record.append("data: c\n\n");
  CHECK(record.frames() == 3);
  CHECK(read(record, 1) == reading{progress::streaming, "id: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\n\nid: 3\ndata: c\n\n", 4});
  CHECK(read(record, 3) == reading{progress::streaming, "id: 3\ndata: c\n\n", 4});
  CHECK(read(record, 4) == reading{progress::streaming, "", 4});
  record.end(turn_record::ending::complete);
  CHECK(read(record, 3) == reading{progress::ended, "id: 3\ndata: c\n\n", 4});
  CHECK(read(record, 4) == reading{progress::ended, "", 4});
}

TEST_CASE("comments are neither kept nor counted") {
  turn_record record(1 << 20);
  record.begin({});
  record.append(": keep-alive\n\ndata: a\n\n: keep-alive\n\n");
  CHECK(read(record, 1) == reading{progress::streaming, "id: 1\ndata: a\n\n", 2});
}

TEST_CASE("a reading ends with the frame that reaches its limit") {
  turn_record record(1 << 20);
  record.begin({});
  for (int i = 0; i < 5; ++i) record.append("data: x\n\n");  // 15 bytes each with its id
  record.end(turn_record::ending::failed);
  CHECK(read(record, 1, 1) == reading{progress::streaming, "id: 1\ndata: x\n\n", 2});
  CHECK(read(record, 2, 15).next == 3);
  CHECK(read(record, 2, 16).next == 4);
  CHECK(read(record, 4, 30) == reading{progress::failed, "id: 4\ndata: x\n\nid: 5\ndata: x\n\n", 6});
}

TEST_CASE("a long stream gives up its first frames, and whoever wants them is told") {
  turn_record record(160);  // pieces of 21 bytes: two frames each
  record.begin({});
  for (int i = 0; i < 20; ++i) record.append("data: x\n\n");
  CHECK(record.bytes() <= 160);
  CHECK(read(record, 1) == reading{progress::lost, "", 1});
  std::uint64_t first = 1;
  while (read(record, first).seen == progress::lost) ++first;
  CHECK(first == 13);
  CHECK(read(record, first).next == 21);
  record.trim(0);
  CHECK(read(record, 18).seen == progress::lost);
  CHECK(read(record, 19).text == "id: 19\ndata: x\n\nid: 20\ndata: x\n\n");
}

TEST_CASE("every cut of a stream of many pieces is gone on with exactly") {
  turn_record record(1 << 12);
  record.begin({});
  for (int i = 0; i < 100; ++i) record.append("data: " + std::string(i % 7, 'x') + "\n\n");
  record.end(turn_record::ending::complete);
  const auto whole = read(record, 1);
  REQUIRE(whole.seen == progress::ended);
  std::string before;
  for (std::uint64_t cut = 1; cut <= 100; ++cut) {
    CHECK(before + read(record, cut).text == whole.text);
    before += read(record, cut, 1).text;
  }
  CHECK(before == whole.text);
}

TEST_CASE("a whole answer is its head, until it is given up") {
  turn_record record(1 << 20);
  http_response whole;
  whole.body = "{}";
  record.finish(whole);
  CHECK(record.bytes() == 2);
  CHECK(record.is_over());
  CHECK(read(record, 1).seen == progress::whole);
  CHECK(record.head()->body == "{}");
  record.discard();
  CHECK(record.bytes() == 0);
  CHECK(read(record, 1).seen == progress::lost);
}

TEST_CASE("a stream that was given up has nothing but its end") {
  turn_record record(1 << 20);
  record.begin({});
  record.append("data: a\n\ndata: b\n\n");
  record.end(turn_record::ending::complete);
  record.discard();
  CHECK(record.bytes() == 0);
  CHECK(read(record, 2).seen == progress::lost);
  CHECK(read(record, 3).seen == progress::ended);
}
