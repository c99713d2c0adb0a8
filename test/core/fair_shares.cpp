#include "engine/core/fair_shares.hpp"

#include <doctest/doctest.h>

#include "engine/core/fair_budget.hpp"
#include "engine/core/fair_table.hpp"

using namespace troupe::core;

namespace {

using names = std::vector<std::string>;

names givers_of(const fair_shares& shares, std::string_view asking) {
  names found;
  shares.visit_givers(asking, [&](const std::string& holder) {
    found.push_back(holder);
    return true;
  });
  return found;
}

/// Adds an entry, and takes out what makes room for it above `bound`.
int add_within(fair_table<int>& table, std::string_view holder, int item, std::size_t bound) {
  table.add(holder, item);
  if (table.size() <= bound) return 0;
  const auto displaced = table.displaced_by(holder, [](int) { return true; });
  REQUIRE(displaced);
  const int gone = (*displaced)->item;
  table.erase(*displaced);
  return gone;
}

}  // namespace

TEST_CASE("those with more than who asks are asked first, the one with most before all, then who asks, and nobody else") {
  fair_shares shares;
  shares.add("b", 5);
  shares.add("a", 9);
  shares.add("c", 2);
  shares.add("d", 5);
  CHECK(shares.total() == 21);
  CHECK(givers_of(shares, "c") == names{"a", "b", "d", "c"});
  CHECK(givers_of(shares, "b") == names{"a", "b"});
  CHECK(givers_of(shares, "a") == names{"a"});
  CHECK(givers_of(shares, "nobody") == names{"a", "b", "d", "c"});
  shares.remove("a", 8);
  CHECK(givers_of(shares, "c") == names{"b", "d", "c"});
}

TEST_CASE("who holds nothing is no holder, and nobody returns more than it has") {
  fair_shares shares;
  shares.add("a", 3);
  shares.add("b", 0);
  CHECK(shares.holders() == 1);
  shares.remove("a", 7);
  shares.remove("never", 1);
  CHECK(shares.total() == 0);
  CHECK(shares.holders() == 0);
  CHECK(givers_of(shares, "a").empty());
  shares.add("c", 4);
  CHECK(shares.held("a") == 0);
  CHECK(shares.held("c") == 4);
}

TEST_CASE("one alone may have all, of two each is borne up to a half, and nobody above twice the bound") {
  fair_shares shares;
  shares.add("a", 100);
  CHECK(shares.is_within("a", 100));
  shares.add("b", 50);
  CHECK_FALSE(shares.is_within("a", 100));
  CHECK(shares.is_within("b", 100));
  shares.add("b", 1);
  CHECK_FALSE(shares.is_within("b", 100));
  shares.remove("a", 51);
  CHECK(shares.is_within("b", 100));
  shares.add("a", 140);
  shares.add("c", 1);
  CHECK(shares.total() == 241);
  CHECK_FALSE(shares.is_within("c", 100));
  CHECK(shares.is_within("c", 121));
}

TEST_CASE("one alone gives up its own oldest entries and may have the whole table") {
  fair_table<int> table;
  for (int item = 1; item <= 4; ++item) CHECK(add_within(table, "a", item, 4) == 0);
  CHECK(add_within(table, "a", 5, 4) == 1);
  CHECK(add_within(table, "a", 6, 4) == 2);
  CHECK(table.size() == 4);
}

TEST_CASE("a flood displaces what the flooding holder has, and leaves another all that is below its fair share") {
  fair_table<int> table;
  for (int item = 1; item <= 6; ++item) add_within(table, "a", item, 6);
  CHECK(add_within(table, "b", 11, 6) == 1);
  CHECK(add_within(table, "b", 12, 6) == 2);
  CHECK(add_within(table, "b", 13, 6) == 3);
  CHECK(add_within(table, "b", 14, 6) == 11);  // both have three: the fourth is b's own to make room for
  for (int item = 100; item < 200; ++item) CHECK(add_within(table, "a", item, 6) == (item < 103 ? item - 96 : item - 3));
  CHECK(table.shares().held("a") == 3);
  CHECK(table.shares().held("b") == 3);
}

TEST_CASE("an entry that was used is given up last, and one that does not fit is passed over") {
  fair_table<int> table;
  const auto first = table.add("a", 1);
  table.add("a", 2);
  table.add("a", 3);
  table.renew(first);
  const auto any = [](int) { return true; };
  CHECK((*table.displaced_by("a", any))->item == 2);
  CHECK((*table.displaced_by("a", [](int item) { return item != 2; }))->item == 3);
  CHECK_FALSE(table.displaced_by("a", [](int item) { return item > 3; }));
}

TEST_CASE("when those with more have nothing to give, who asks gives up its own, and one with less is never asked") {
  fair_table<int> table;
  for (int item = 1; item <= 3; ++item) table.add("busy", item);
  table.add("quiet", 11);
  table.add("asking", 21);
  table.add("asking", 22);
  const auto at_rest = [](int item) { return item > 10; };
  CHECK((*table.displaced_by("asking", at_rest))->item == 21);
  CHECK_FALSE(table.displaced_by("busy", at_rest));
  CHECK((*table.displaced_by("quiet", at_rest))->item == 21);
}

TEST_CASE("of bytes in flight the holder that has more than its share is refused, and its next ones until it has returned them") {
  fair_budget budget(100);
  CHECK(budget.take("a", 100));
  CHECK_FALSE(budget.is_over());
  CHECK(budget.take("b", 40));
  CHECK(budget.is_over());
  CHECK_FALSE(budget.take("a", 1));
  CHECK(budget.givers("b") == names{"a", "b"});
  budget.give_back("a", 61);
  CHECK(budget.take("a", 20));
  CHECK(budget.total() == 100);
  CHECK(budget.is_within("a"));
}
