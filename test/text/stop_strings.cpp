// Stop strings against a search in the whole text, and what is held back.
#include "engine/text/stop_strings.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace troupe::text;

namespace {

/// The answer by definition: the stop string that is complete first, the longest of those that end together.
std::pair<std::string, std::string> searched(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::string best;
    for (const auto& stop : stops) {
      if (stop.size() > best.size() && std::string_view(text).substr(0, end).ends_with(stop)) best = stop;
    }
    if (!best.empty()) return {text.substr(0, end - best.size()), best};
  }
  return {text, ""};
}

}  // namespace

TEST_CASE("only the end that begins a stop string is held back") {
  stop_strings stops({"abab!", "b?", ""});
  std::string out;
  CHECK(stops.push("xab", out));
  CHECK(out == "x");
  CHECK(stops.push("ab", out));
  CHECK(out == "x");
  CHECK(stops.push("ab", out));
  CHECK(out == "xab");
  CHECK_FALSE(stops.push("!tail", out));
  CHECK(out == "xab");
  CHECK(stops.matched() == "abab!");
  CHECK_FALSE(stops.push("more", out));
  stops.finish(out);
  CHECK(out == "xab");
}

TEST_CASE("what is held is released at the end") {
  stop_strings stops({"END"});
  std::string out;
  CHECK(stops.push("the EN", out));
  CHECK(out == "the ");
  stops.finish(out);
  CHECK(out == "the EN");
  CHECK(stops.matched().empty());
}

TEST_CASE("of two that end together the longer one counts") {
  stop_strings stops({"D", "END"});
  std::string out;
  CHECK_FALSE(stops.push("xEND", out));
  CHECK(out == "x");
  CHECK(stops.matched() == "END");
}

TEST_CASE("every portioning finds what a search in the whole text finds") {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    const auto word = [&random](std::size_t length) {
      std::string made;
      while (made.size() < length) made += static_cast<char>('a' + random() % 2);
      return made;
    };
    std::vector<std::string> stops;
    for (std::size_t count = 1 + random() % 4; stops.size() < count;) stops.push_back(word(3 + random() % 6));
    const std::string text = word(random() % 40);
    stop_strings reader(stops);
    std::string out;
    for (std::size_t at = 0, length = 0; at < text.size(); at += length) {
      length = 1 + random() % 5;
      reader.push(std::string_view(text).substr(at, length), out);
    }
    reader.finish(out);
    const auto [expected, stop] = searched(text, stops);
    INFO("seed ", seed, ", text ", text);
    REQUIRE(out == expected);
    REQUIRE(reader.matched() == stop);
  }
}
