#include "engine/text/volatile_text.hpp"

#include <doctest/doctest.h>

using namespace troupe::text;

namespace {

std::string without(std::string_view text, std::vector<std::string> patterns) { return without_volatile(text, patterns); }

}  // namespace

TEST_CASE("a pattern that ends in a star takes whole lines, from their begin") {
  CHECK(without("bill: a1\nYou are", {"bill:*"}) == "You are");
  CHECK(without("You are\nbill: a1\nand\nbill:", {"bill:*"}) == "You are\nand\n");
  CHECK(without("the bill: a1", {"bill:*"}) == "the bill: a1");
  CHECK(without("bill: a1", {"bill:*"}) == "");
}

TEST_CASE("a pattern with a star inside takes what lies between, within a line") {
  CHECK(without("a<n>12 left</n>b<n></n>c", {"<n>*</n>"}) == "abc");
  CHECK(without("a<n>12\n</n>b", {"<n>*</n>"}) == "a<n>12\n</n>b");
  CHECK(without("a<n>1\n<n>2</n>", {"<n>*</n>"}) == "a<n>1\n");
  CHECK(without("a<n>", {"<n>*</n>"}) == "a<n>");
}

TEST_CASE("a text full of beginnings and ends is one pass, whatever it holds") {
  std::string begins, matches;
  for (int i = 0; i < 200'000; ++i) begins += i % 2 == 0 ? "<n>" : "<n>\n", matches += "<n></n>";
  CHECK(without(begins + "</n>", {"<n>*</n>"}) == begins + "</n>");
  CHECK(without(matches, {"<n>*</n>"}) == "");
}

TEST_CASE("patterns without a star are literal, several are taken one after the other") {
  CHECK(without("now is 12 and now", {"now", " is"}) == " 12 and ");
  CHECK(without("same", {}) == "same");
}

TEST_CASE("what Claude Code changes from request to request is known") {
  CHECK(without_volatile("x-anthropic-billing-header: cc=1;\nYou are <total_tokens>1234 tokens left</total_tokens>.", usual_volatile_patterns()) ==
        "You are .");
}

TEST_CASE("patterns are checked") {
  CHECK(check_volatile_pattern("line:*") == "");
  CHECK(check_volatile_pattern("<n>*</n>") == "");
  CHECK(check_volatile_pattern("") == "must begin with literal text");
  CHECK(check_volatile_pattern("*all") == "must begin with literal text");
  CHECK(check_volatile_pattern("a*b*") == "may have one '*'");
  CHECK(check_volatile_pattern("a\nb") == "must be of one line");
}
