// Keys: what counts as one, whose request it is, and what without.
#include "gateway/access.hpp"

#include <doctest/doctest.h>

#include "gateway/routes.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

access_key key_of(std::string_view key, const std::string& tenant, const std::string& name) {
  access_key made;
  made.hash = hash_of_key(key);
  made.who.tenant = tenant;
  made.who.key_name = name;
  made.who.is_admin = name == "ops";
  return made;
}

const key_ring ring({key_of("tk-ours", "acme", "ci"), key_of("tk-theirs", "beta", "bot"), key_of("tk-ops", "default", "ops")});

expected<caller> come(std::vector<http_field> fields, access_need need = access_need::key, const key_ring& keys = ring) {
  http_request head;
  head.method = "GET";
  head.path = "/v1/models";
  head.fields = std::move(fields);
  return admit(head, need, keys);
}

std::string name_of(const expected<caller>& who) { return who ? who->key_name : std::string(describe(who.error().code).name); }

}  // namespace

TEST_CASE("a key's hash is its SHA-256 in hexadecimal") {
  const auto read = read_key_hash("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(read);
  CHECK(*read == hash_of_key("abc"));
  CHECK_FALSE(read_key_hash("ba78"));
  CHECK_FALSE(read_key_hash(std::string(64, 'g')));
  CHECK_FALSE(read_key_hash(std::string(65, 'a')));
}

TEST_CASE("a key comes in either header, and either is enough when both are there") {
  CHECK(name_of(come({{"Authorization", "Bearer tk-ours"}})) == "ci");
  CHECK(name_of(come({{"authorization", "bearer   tk-ours "}})) == "ci");
  CHECK(name_of(come({{"X-Api-Key", "tk-theirs"}})) == "bot");
  CHECK(name_of(come({{"x-api-key", "tk-theirs"}, {"authorization", "Bearer tk-ours"}})) == "ci");
  CHECK(name_of(come({{"x-api-key", "tk-theirs"}, {"authorization", "Bearer unused"}})) == "bot");
  CHECK(name_of(come({{"x-api-key", "unused"}, {"authorization", "Bearer tk-ours"}})) == "ci");
  CHECK(come({{"x-api-key", "tk-theirs"}})->tenant == "beta");
}

TEST_CASE("whoever has no key, or none of ours, is not let in") {
  for (const auto* value : {"", "Bearer", "Bearer ", "tk-ours", "Basic tk-ours", "Bearer tk-our", "Bearer tk-ourss", "Bearer tk-ours x"})
    CHECK(name_of(come({{"authorization", value}})) == "unauthenticated");
  CHECK(name_of(come({})) == "unauthenticated");
  CHECK(name_of(come({{"x-api-key", ""}})) == "unauthenticated");
  CHECK(name_of(come({{"x-api-key", "ci"}})) == "unauthenticated");
}

TEST_CASE("some paths need an admin's key, some need none, and a stranger there has no rights") {
  CHECK(name_of(come({{"x-api-key", "tk-ours"}}, access_need::admin)) == "permission_denied");
  CHECK(name_of(come({{"x-api-key", "tk-ops"}}, access_need::admin)) == "ops");
  const auto stranger = come({{"x-api-key", "wrong"}}, access_need::nothing);
  REQUIRE(stranger);
  CHECK(stranger->tenant == "");
  CHECK_FALSE(stranger->is_admin);
  CHECK(need_of("/live") == access_need::nothing);
  CHECK(need_of("/ready") == access_need::nothing);
  CHECK(need_of("/metrics") == access_need::admin);
  CHECK(need_of("/health") == access_need::admin);
  for (const auto* path : {"/v1/models", "/v1/sessions/a", "/v1/messages", "/unknown", "live", ""})
    CHECK(need_of(path) == access_need::key);
}

TEST_CASE("without configured keys everybody is the admin of the default tenant") {
  const auto who = come({{"authorization", "Bearer whatever"}}, access_need::admin, key_ring{});
  REQUIRE(who);
  CHECK(*who == caller{});
  CHECK(who->tenant == "default");
  CHECK(who->is_admin);
}
