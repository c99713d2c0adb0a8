#include "messages/base/errc.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace troupe;

TEST_CASE("every errc has a name of its own and an HTTP status") {
  std::set<std::string_view> names;
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto& info = describe(static_cast<errc>(i));
    CHECK(names.insert(info.name).second);
    CHECK(info.http_status >= 400);
    CHECK(info.http_status < 600);
    CHECK_FALSE(info.openai_type.empty());
    CHECK_FALSE(info.anthropic_type.empty());
  }
  CHECK(describe(errc::draining).name == "draining");
  CHECK(describe(errc::context_length_exceeded).http_status == 400);
  CHECK(describe(errc::internal).name == "internal");
}

TEST_CASE("an expected holds a value or a failure") {
  expected<int> good = 7;
  expected<int> bad = failure{errc::not_found, "no such thing", "id"};
  REQUIRE(good);
  CHECK(*good == 7);
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == failure{errc::not_found, "no such thing", "id"});
}
