// Stored responses: chains over restarts, torn files, bounds, tenants, and text that clients carry sealed.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/store/response_log.hpp"
#include "engine/store/text_seal.hpp"
#include "messages/base/limits.hpp"
#include "test/support/files.hpp"

using namespace troupe;
using namespace troupe::store;
using troupe::test::content_of;
using troupe::test::temporary_folder;
using troupe::test::write_file;
namespace fs = std::filesystem;

namespace {

constexpr response_bounds wide{1000, std::size_t{1} << 30, 1000};
constexpr std::int64_t now_s = 5'000;

stored_response make(std::string id, response_ptr previous = {}, std::string tenant = "default") {
  stored_response made;
  made.tenant = std::move(tenant);
  made.id = std::move(id);
  made.session = "s-" + made.id;
  made.created_s = now_s;
  made.input = "[\"" + made.id + "\"]";
  made.body = "{\"id\":\"" + made.id + "\"}";
  made.previous = std::move(previous);
  return made;
}

/// A table with its file.
struct kept {
  response_table table;
  expected<response_log> log;
  explicit kept(const fs::path& file, response_bounds bounds = wide, std::int64_t now = now_s)
      : table(bounds), log(response_log::open(file, table, now)) {
    REQUIRE(log);
  }
  response_ptr add(stored_response response) {
    auto adopted = table.adopt(std::move(response));
    REQUIRE(log->add(*adopted));
    table.insert(adopted, now_s);
    return adopted;
  }
  void remove(const std::string& id) {
    REQUIRE(log->remove("default", id));
    CHECK(table.remove("default", id));
  }
};

std::string numbered(std::string name, int number) { return name.append(std::to_string(number)); }

/// The ids of a response and of all before it, the last one first.
std::string chain_of(const response_ptr& last) {
  std::string ids;
  for (const auto* each = last.get(); each != nullptr; each = each->previous.get()) ids += each->id;
  return ids;
}

}  // namespace

TEST_CASE("responses and their chains are there after a restart, each with all that it holds") {
  temporary_folder folder;
  {
    kept before(folder.path / "r");
    const auto a = before.add(make("a"));
    const auto b = before.add(make("b", a));
    before.add(make("c", b));
    before.add(make("d", a));
  }
  kept after(folder.path / "r");
  CHECK(after.table.count() == 4);
  CHECK(chain_of(after.table.find("default", "c", now_s)) == "cba");
  CHECK(chain_of(after.table.find("default", "d", now_s)) == "da");
  const auto b = after.table.find("default", "b", now_s);
  REQUIRE(b);
  CHECK(b->session == "s-b");
  CHECK(b->created_s == now_s);
  CHECK(b->input == "[\"b\"]");
  CHECK(b->body == "{\"id\":\"b\"}");
  CHECK(b->previous == after.table.find("default", "a", now_s));
}

TEST_CASE("a deleted response is unknown, over a restart and a rewrite too, and those after it still go on from it") {
  temporary_folder folder;
  {
    kept before(folder.path / "r");
    const auto b = before.add(make("b", before.add(make("a"))));
    before.remove("a");
    CHECK(before.table.find("default", "a", now_s) == nullptr);
    before.add(make("c", b));
    before.remove("b");
  }
  {
    kept after(folder.path / "r");
    CHECK(after.table.count() == 1);
    CHECK(chain_of(after.table.find("default", "c", now_s)) == "cba");
    REQUIRE(after.log->rewrite(after.table.all()));
  }
  kept rewritten(folder.path / "r");
  CHECK(rewritten.table.count() == 1);
  CHECK(rewritten.table.find("default", "b", now_s) == nullptr);
  CHECK(chain_of(rewritten.table.find("default", "c", now_s)) == "cba");
}

TEST_CASE("what a running turn goes on from is written with it when the file has it no more") {
  temporary_folder folder;
  {
    kept before(folder.path / "r");
    const auto a = before.add(make("a"));
    before.remove("a");
    REQUIRE(before.log->rewrite(before.table.all()));
    before.add(make("b", a));
  }
  kept after(folder.path / "r");
  CHECK(after.table.find("default", "a", now_s) == nullptr);
  CHECK(chain_of(after.table.find("default", "b", now_s)) == "ba");
}

TEST_CASE("a file that was cut anywhere holds whole responses, those that are whole in it") {
  temporary_folder folder;
  std::uint64_t first_end = 0;
  {
    kept before(folder.path / "r");
    const auto a = before.add(make("a"));
    first_end = before.log->bytes();
    before.add(make("b", a));
  }
  const auto bytes = content_of(folder.path / "r");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_file(folder.path / "cut", bytes.substr(0, length));
    kept after(folder.path / "cut");
    CHECK(after.table.count() == (length >= first_end ? 1 : 0));
  }
}

TEST_CASE("a response longer than a record is kept in pieces, and one that lacks a piece is not") {
  temporary_folder folder;
  auto large = make("a");
  large.input = "[\"" + std::string(3 * limits::response_part_bytes, 'x') + "\"]";
  std::uint64_t begin = 0;
  {
    kept before(folder.path / "r");
    before.add(make("first"));
    begin = before.log->bytes();
    before.add(large);
  }
  {
    kept after(folder.path / "r");
    REQUIRE(after.table.find("default", "a", now_s));
    CHECK(after.table.find("default", "a", now_s)->input == large.input);
  }
  fs::resize_file(folder.path / "r", begin + 2 * limits::response_part_bytes);
  {
    kept cut(folder.path / "r");
    CHECK(cut.table.count() == 1);
    cut.add(make("next"));
  }
  kept last(folder.path / "r");
  CHECK(last.table.count() == 2);
  CHECK(last.table.find("default", "next", now_s) != nullptr);
}

TEST_CASE("a response whose beginning is lost is left out rather than shortened") {
  temporary_folder folder;
  {
    response_table table(wide);
    auto log = response_log::open(folder.path / "r", table, now_s);
    REQUIRE(log);
    const auto b = make("b", table.adopt(make("a")));
    auto opened = journal::open(folder.path / "other", {});
    REQUIRE(opened);
    for (const auto& record : to_records(b, false)) REQUIRE((*opened)->append(record));
  }
  kept after(folder.path / "other");
  CHECK(after.table.count() == 0);
}

TEST_CASE("the oldest response is forgotten when there are too many, by number, bytes and age") {
  const auto has = [](const response_table& table, const std::string& id) { return table.find("default", id, now_s) != nullptr; };
  const auto size = make("a").bytes();
  response_table few({2, std::size_t{1} << 30, 1000}), small({1000, 2 * size, 1000}), short_lived({1000, std::size_t{1} << 30, 10});
  for (auto* table : {&few, &small})
    for (const auto* id : {"a", "b", "c"}) table->insert(table->adopt(make(id)), now_s);
  for (const auto* table : {&few, &small}) {
    CHECK(table->count() == 2);
    CHECK_FALSE(has(*table, "a"));
    CHECK(has(*table, "b"));
    CHECK(has(*table, "c"));
    CHECK(table->bytes() == 2 * size);
  }
  short_lived.insert(short_lived.adopt(make("a")), now_s);
  CHECK(short_lived.find("default", "a", now_s + 10) != nullptr);
  CHECK(short_lived.find("default", "a", now_s + 11) == nullptr);
  auto late = make("b");
  late.created_s = now_s + 11;
  short_lived.insert(short_lived.adopt(late), now_s + 11);
  CHECK(short_lived.count() == 1);
}

TEST_CASE("a chain that alone is too much loses its new end, and what others have stays") {
  const auto size = make("a").bytes();
  response_table table({1000, 4 * size, 1000});
  table.insert(table.adopt(make("x", {}, "default")), now_s);
  response_ptr last;
  for (const auto* id : {"a", "b", "c"}) {
    last = table.adopt(make(id, last));
    table.insert(last, now_s);
  }
  CHECK(table.bytes() == 4 * size);
  // Of two ends the one that came first goes, then nothing is left to go but the chain's own.
  table.insert(table.adopt(make("d", last)), now_s);
  CHECK(table.find("default", "x", now_s) == nullptr);
  CHECK(chain_of(table.find("default", "d", now_s)) == "dcba");
  table.insert(table.adopt(make("e", table.find("default", "d", now_s))), now_s);
  CHECK(table.find("default", "e", now_s) == nullptr);
  CHECK(chain_of(table.find("default", "d", now_s)) == "dcba");
  CHECK(table.bytes() == 4 * size);
}

TEST_CASE("the chain used longest ago is forgotten from its end, and a fork lives as long as one of its ends") {
  const auto size = make("a").bytes();
  response_table table({1000, 5 * size, 1000});
  const auto add = [&](std::string id, response_ptr before) {
    auto made = table.adopt(make(std::move(id), std::move(before)));
    table.insert(made, now_s);
    return made;
  };
  const auto a = add("a", {});
  const auto b = add("b", a);
  const auto p = add("p", {});
  add("c", b);
  add("q", p);
  add("d", a);  // the oldest end is c
  CHECK(table.find("default", "c", now_s) == nullptr);
  CHECK(chain_of(table.find("default", "d", now_s)) == "da");
  add("r", table.find("default", "q", now_s));
  CHECK(table.find("default", "b", now_s) == nullptr);
  CHECK(table.find("default", "a", now_s) == a);
  CHECK(chain_of(table.find("default", "r", now_s)) == "rqp");
  CHECK(table.bytes() == 5 * size);
}

TEST_CASE("a tenant that floods the table with responses forgets its own, by number and by bytes") {
  const auto size = make("a000", {}, "loud").bytes();
  const auto has = [](const response_table& table, const std::string& tenant, const std::string& id) {
    return table.find(tenant, id, now_s) != nullptr;
  };
  response_table few({4, std::size_t{1} << 30, 1000}), small({1000, 4 * size, 1000});
  for (auto* table : {&few, &small}) {
    const auto kept = table->adopt(make("b001", {}, "mild"));
    table->insert(kept, now_s);
    table->insert(table->adopt(make("b002", kept, "mild")), now_s);
    for (int i = 100; i < 200; ++i) table->insert(table->adopt(make(numbered("a", i), {}, "loud")), now_s);
    CHECK(table->count() == 4);
    CHECK(chain_of(table->find("mild", "b002", now_s)) == "b002b001");
    CHECK_FALSE(has(*table, "loud", "a197"));
    CHECK(has(*table, "loud", "a198"));
    CHECK(has(*table, "loud", "a199"));
    table->insert(table->adopt(make("b003", {}, "mild")), now_s);  // now it has most
    CHECK(table->count() == 4);
    CHECK(has(*table, "loud", "a198"));
    CHECK(has(*table, "mild", "b003"));
  }
  CHECK_FALSE(has(few, "mild", "b001"));
  CHECK_FALSE(has(small, "mild", "b002"));  // the end of its oldest chain: without it the first would still be held
  CHECK(has(small, "mild", "b001"));
}

TEST_CASE("what turns hold of forgotten responses is bounded too, for the tenant whose turns they are") {
  const auto size = make("a000", {}, "loud").bytes();
  response_table table({1000, 4 * size, 1000});
  std::vector<response_ptr> held;
  for (int i = 100; i < 108; ++i) {
    held.push_back(table.adopt(make(numbered("a", i), {}, "loud")));
    table.insert(held.back(), now_s);
  }
  CHECK(table.bytes() == 4 * size);
  CHECK(table.bytes_held() == 8 * size);
  CHECK(table.has_room_for("loud"));
  const auto other = table.adopt(make("b001", {}, "mild"));
  CHECK_FALSE(table.has_room_for("loud"));
  CHECK(table.has_room_for("mild"));
  held.clear();
  CHECK(table.has_room_for("loud"));
}

TEST_CASE("a time that cannot be is no reason to count beyond it") {
  response_table table({10, std::size_t{1} << 20, 1000});
  for (const auto created_s : {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    auto response = make("r");
    response.created_s = created_s;
    table.insert(table.adopt(std::move(response)), now_s);
    CHECK((table.find("default", "r", now_s) != nullptr) == (created_s > 0));
  }
  CHECK(table.count() == 0);
}

TEST_CASE("a chain costs what its items cost, counts while anybody holds it, and ends without recursion") {
  response_table table({1'000'000, std::size_t{1} << 30, 1000});
  response_ptr last;
  const auto size = make("a").bytes();
  for (int i = 0; i < 200'000; ++i) {
    last = table.adopt(make("a", std::exchange(last, nullptr)));
    table.insert(last, now_s);  // the same name: only the last one can be had
  }
  CHECK(table.count() == 1);
  CHECK(table.bytes() == 200'000 * size);
  CHECK(table.bytes_held() == 200'000 * size);
  CHECK(table.remove("default", "a"));
  CHECK(table.bytes() == 0);
  CHECK(table.bytes_held() == 200'000 * size);
  last.reset();
  CHECK(table.bytes_held() == 0);
}

TEST_CASE("a file that holds more than a table may is read from its end") {
  temporary_folder folder;
  const auto size = make("a").bytes();
  {
    kept before(folder.path / "r");
    for (const auto* id : {"a", "b", "c"}) before.add(make(id));
  }
  kept after(folder.path / "r", {1000, 2 * size, 1000});
  CHECK(after.table.count() == 2);
  CHECK(after.table.find("default", "a", now_s) == nullptr);
  CHECK(after.table.find("default", "c", now_s) != nullptr);
  CHECK(after.table.bytes() == 2 * size);
}

TEST_CASE("a tenant has its own responses, also under the same id") {
  temporary_folder folder;
  {
    kept before(folder.path / "r");
    before.add(make("a"));
    before.add(make("a", {}, "other"));
    before.add(make("b", {}, "other"));
    before.remove("a");
  }
  kept after(folder.path / "r");
  CHECK(after.table.count() == 2);
  CHECK(after.table.find("default", "a", now_s) == nullptr);
  CHECK(after.table.find("default", "b", now_s) == nullptr);
  CHECK(after.table.find("other", "a", now_s)->tenant == "other");
  CHECK_FALSE(after.table.remove("default", "b"));
}

TEST_CASE("a file that deletions have outgrown says so") {
  temporary_folder folder;
  kept one(folder.path / "r");
  auto large = make("a");
  large.input.assign(limits::journal_bytes_min, ' ');
  one.add(large);
  CHECK_FALSE(one.log->is_outgrown(one.table.bytes()));
  one.remove("a");
  CHECK(one.table.bytes() == 0);
  CHECK(one.log->is_outgrown(one.table.bytes()));
  REQUIRE(one.log->rewrite(one.table.all()));
  CHECK(one.log->bytes() == 16);
  CHECK_FALSE(one.log->is_outgrown(0));
}

TEST_CASE("sealed text is opened by whom it was bound to, whole or not at all") {
  block_cipher::key key{};
  text_seal seal(key), same(key);
  key[0] = 1;
  text_seal other(key);
  for (const std::string text : {"", "a", "ab", "abc", "thought \xE2\x80\x94 \n"}) {
    const auto sealed = seal.seal(text, "default");
    CHECK(same.open(sealed, "default") == text);
    CHECK_FALSE(seal.open(sealed, "somebody else"));
    CHECK_FALSE(other.open(sealed, "default"));
    CHECK(seal.seal(text, "default") != sealed);
  }
  auto broken = seal.seal("text", "default");
  for (std::size_t i = 0; i < broken.size(); ++i) {
    auto changed = broken;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(seal.open(changed, "default"));
    CHECK_FALSE(seal.open(broken.substr(0, i), "default"));
  }
  CHECK_FALSE(seal.open("gAAAAABo of another server", "default"));
}

TEST_CASE("the key of a seal comes from the node's key file") {
  temporary_folder folder;
  std::ofstream(folder.path / "key") << std::string(32, 'k');
  std::ofstream(folder.path / "short") << "k";
  const auto first = text_seal::from_file(folder.path / "key"), second = text_seal::from_file(folder.path / "key");
  REQUIRE(first);
  REQUIRE(second);
  CHECK((*second)->open((*first)->seal("x", "t"), "t") == "x");
  CHECK(text_seal::from_file(folder.path / "short").error().code == errc::corrupt_data);
  CHECK(text_seal::from_file(folder.path / "none").error().code == errc::io_failed);
}
