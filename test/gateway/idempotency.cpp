#include "gateway/idempotency.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::gateway;

namespace {

http_request request_of(std::vector<http_field> fields, std::string body = "{}", std::string path = "/v1/messages") {
  http_request request;
  request.method = "POST";
  request.path = std::move(path);
  request.body = std::move(body);
  request.fields = std::move(fields);
  return request;
}

turn_key key_of(const http_request& request, std::string_view tenant = "default") {
  const auto key = read_turn_key(request, tenant);
  REQUIRE(key);
  REQUIRE(key->has_value());
  return **key;
}

std::string refused_field(const http_request& request) {
  const auto key = read_turn_key(request, "default");
  REQUIRE_FALSE(key);
  CHECK(key.error().code == errc::invalid_request);
  return key.error().param;
}

}  // namespace

TEST_CASE("a request without a key, or that is no POST, names no turn") {
  CHECK_FALSE(read_turn_key(request_of({}), "default")->has_value());
  auto get = request_of({{"idempotency-key", "a"}, {"last-event-id", "x"}});
  get.method = "GET";
  CHECK_FALSE(read_turn_key(get, "default")->has_value());
}

TEST_CASE("a key is scoped by tenant and path, and a repeat has the same digest") {
  const auto key = key_of(request_of({{"Idempotency-Key", "a"}}));
  CHECK(key.scope == "default\n/v1/messages\na");
  CHECK_FALSE(key.seen.has_value());
  CHECK(key.digest == key_of(request_of({{"idempotency-key", "b"}})).digest);
  CHECK(key.digest != key_of(request_of({{"idempotency-key", "a"}}, "{} ")).digest);
  auto queried = request_of({{"idempotency-key", "a"}});
  queried.query = "beta=true";
  CHECK(key.digest != key_of(queried).digest);
  CHECK(key_of(request_of({{"idempotency-key", "a"}}, "{}", "/v1/responses")).scope == "default\n/v1/responses\na");
  CHECK(key_of(request_of({{"idempotency-key", "a"}}), "other").scope == "other\n/v1/messages\na");
}

TEST_CASE("a key is one of 1 to 255 printable characters") {
  CHECK(key_of(request_of({{"idempotency-key", std::string(255, '~')}})).scope.size() == 276);
  for (const auto& text : {std::string(), std::string(256, 'a'), std::string("a\tb"), std::string("\xC3\xA9"), std::string("a\0b", 3)})
    CHECK(refused_field(request_of({{"idempotency-key", text}})) == "idempotency-key");
  CHECK(refused_field(request_of({{"idempotency-key", "a"}, {"Idempotency-Key", "a"}})) == "idempotency-key");
}

TEST_CASE("the last frame seen is a number, and means nothing without a key") {
  CHECK(key_of(request_of({{"idempotency-key", "a"}, {"last-event-id", "17"}})).seen == 17);
  CHECK(key_of(request_of({{"idempotency-key", "a"}, {"last-event-id", "0"}})).seen == 0);
  CHECK_FALSE(key_of(request_of({{"idempotency-key", "a"}, {"last-event-id", ""}})).seen.has_value());
  for (const auto* text : {"x", "1x", "-1", "1.5", "99999999999999999999999"})
    CHECK(refused_field(request_of({{"idempotency-key", "a"}, {"last-event-id", text}})) == "last-event-id");
  CHECK(refused_field(request_of({{"last-event-id", "1"}})) == "last-event-id");
}
