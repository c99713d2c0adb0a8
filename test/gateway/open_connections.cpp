#include "gateway/open_connections.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace troupe;
using namespace troupe::gateway;

namespace {

using numbers = std::set<std::uint64_t>;

struct fake_connection final : connection_handle {
  bool is_cut = false;
  time_point since = never;
  void start() override {}
  void finish() override {}
  void cut() override { is_cut = true; }
  [[nodiscard]] time_point idle_since() const override { return since; }
};

struct stage {
  open_connections open;
  std::vector<std::shared_ptr<fake_connection>> all;
  explicit stage(std::size_t most) : open(most) {}

  std::uint64_t come() {
    all.push_back(std::make_shared<fake_connection>());
    open.add(all.size() - 1, all.back());
    return all.size() - 1;
  }
  /// With a key, at work.
  std::uint64_t come_as(const std::string& tenant) {
    const auto number = come();
    CHECK(open.admit(number, tenant));
    return number;
  }
  void rest(std::uint64_t number, int second) { all[number]->since = time_point(std::chrono::seconds(second)); }
  [[nodiscard]] numbers cut() const {
    numbers found;
    for (std::uint64_t number = 0; number < all.size(); ++number)
      if (all[number]->is_cut) found.insert(number);
    return found;
  }
};

}  // namespace

TEST_CASE("a flood of strangers displaces strangers, and those who have shown a key stay, idle or not") {
  stage one(16);
  for (int i = 0; i < 4; ++i) one.come_as("a");
  one.rest(0, 1);
  for (int i = 4; i < 16; ++i) one.come();
  CHECK(one.cut().empty());
  for (std::uint64_t i = 16; i < 40; ++i) one.come();
  numbers oldest;
  for (std::uint64_t i = 4; i < 28; ++i) oldest.insert(i);
  CHECK(one.cut() == oldest);
  CHECK(one.open.size() == 16);
}

TEST_CASE("when few are strangers the one that has been idle longest gives its place, of the tenant that has most") {
  stage one(8);
  for (int i = 0; i < 5; ++i) one.rest(one.come_as("a"), 10 - i);
  for (int i = 5; i < 8; ++i) one.rest(one.come_as("b"), 1);
  one.come_as("b");
  CHECK(one.cut() == numbers{4});
  one.come();
  CHECK(one.cut() == numbers{3, 4});
  one.open.erase(3);  // when it has closed
  CHECK(one.open.size() == 8);
}

TEST_CASE("a tenant with fewer connections than the average loses none to those who come") {
  stage one(8);
  for (int i = 0; i < 6; ++i) one.come_as("a");
  one.rest(one.come_as("b"), 1);
  one.rest(one.come_as("b"), 1);
  const auto stranger = one.come();
  CHECK(one.cut().empty());
  CHECK(one.open.size() == 9);
  one.come();
  CHECK(one.cut() == numbers{stranger});
}

TEST_CASE("where all places are at work, a tenant with less than its share is let in and one with more is told to wait") {
  stage one(8);
  for (int i = 0; i < 8; ++i) one.come_as("a");
  const auto more = one.come();
  CHECK_FALSE(one.open.admit(more, "a"));
  one.come_as("b");
  CHECK(one.cut() == numbers{more});
  CHECK(one.open.size() == 9);
  CHECK_FALSE(one.open.admit(one.come(), "a"));
  one.open.erase(0);
  one.open.erase(1);
  CHECK(one.open.admit(one.come(), "a"));
}

TEST_CASE("a connection that comes to speak for another tenant counts as that one's") {
  stage one(2);
  const auto number = one.come_as("a");
  CHECK(one.open.admit(number, "b"));
  one.come_as("a");
  one.rest(number, 1);
  one.come();
  CHECK(one.cut() == numbers{number});
}

TEST_CASE("nobody is left when the last has closed") {
  stage one(2);
  const auto number = one.come();
  CHECK_FALSE(one.open.wait_until_empty(std::chrono::milliseconds(0)));
  one.open.erase(number);
  one.open.erase(number);
  CHECK(one.open.wait_until_empty(std::chrono::milliseconds(0)));
}
