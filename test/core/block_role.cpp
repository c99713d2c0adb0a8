#include "engine/core/block_role.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace troupe::core;
using role = block_role;

TEST_CASE("a block has the role of most of its tokens, and of several the one that comes first") {
  const std::vector<role_range> ranges{{role::system, 10}, {role::tools, 14}, {role::user, 30}};
  CHECK(role_of(ranges, 0, 8) == role::system);
  CHECK(role_of(ranges, 8, 16) == role::tools);    // 2, 4 and 2 of eight
  CHECK(role_of(ranges, 8, 12) == role::system);   // two of each
  CHECK(role_of(ranges, 12, 16) == role::tools);   // two of each
  CHECK(role_of(ranges, 16, 24) == role::user);
  CHECK(role_of(ranges, 28, 32) == role::user);    // two that are known before two that are not
  CHECK(role_of(ranges, 29, 32) == role::unknown);
  CHECK(role_of(ranges, 40, 44) == role::unknown);
  CHECK(role_of({}, 0, 4) == role::unknown);
  const std::vector<role_range> twice{{role::user, 3}, {role::output, 5}, {role::user, 6}};
  CHECK(role_of(twice, 2, 6) == role::user);  // two and two: it begins
}

TEST_CASE("ranges that do not grow give some role and read nothing else") {
  const std::vector<role_range> odd{{role::user, 9}, {role::output, 4}, {role::tools, 4}, {role::system, 12}};
  CHECK(role_of(odd, 0, 12) == role::user);
}

TEST_CASE("a number beyond the roles is unknown, each name is its own") {
  CHECK(role_of_number(6) == role::output);
  CHECK(role_of_number(7) == role::unknown);
  CHECK(role_of_number(255) == role::unknown);
  CHECK(to_string(role::tool_result) == "tool_result");
  CHECK(to_string(role::unknown) == "unknown");
}
