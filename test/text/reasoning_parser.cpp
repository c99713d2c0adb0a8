// Where reasoning begins and ends, and which newlines belong to its markers.
#include "engine/text/reasoning_parser.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "test/text/answer_script.hpp"

using namespace troupe::text;

namespace {

/// What each portion made certain, then what the end released.
std::vector<std::string> steps(const std::vector<std::string>& portions, bool begins_in_reasoning = false) {
  reasoning_parser parser(begins_in_reasoning);
  std::vector<std::string> result;
  for (const auto& portion : portions) {
    std::vector<answer_piece> pieces;
    parser.push(portion, pieces);
    result.push_back(written(pieces));
  }
  std::vector<answer_piece> pieces;
  parser.finish(pieces);
  result.push_back(written(pieces));
  return result;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("reasoning streams, but for what may be its end") {
  CHECK(steps({"<thi", "nk>", "\n\n", "a", "\n", "b</", "i>", "\n</think>", "\n\nc"}) ==
        list{"", "", "", "r[a]", "", "r[\nb]", "r[</i>]", "", "t[c]", ""});
}

TEST_CASE("white space before anything else waits") {
  CHECK(steps({" ", "\n", "x"}) == list{"", "", "t[ \nx]", ""});
  CHECK(steps({" \n"}) == list{"", "t[ \n]"});
  CHECK(steps({"\t<think>x"}) == list{"r[x]", ""});
}

TEST_CASE("an answer that begins inside may open again, and end at once") {
  CHECK(steps({"x</think>y"}, true) == list{"r[x] t[y]", ""});
  CHECK(steps({"<think>x"}, true) == list{"r[x]", ""});
  CHECK(steps({"<th"}, true) == list{"", "r[<th]"});
  CHECK(steps({"</think>\n", "\ny"}, true) == list{"", "t[y]", ""});
  CHECK(steps({"\n\n"}, true) == list{"", ""});
}

TEST_CASE("a second block is prose") { CHECK(steps({"<think>a</think>b<think>c</think>"}) == list{"r[a] t[b<think>c</think>]", ""}); }

TEST_CASE("brackets mark reasoning as tags do") {
  reasoning_parser parser(false, reasoning_format::think_brackets);
  std::vector<answer_piece> pieces;
  parser.push("[THINK]\na <think> [b]\n[/THINK]\n\nc [THINK]", pieces);
  parser.finish(pieces);
  CHECK(written(pieces) == "r[a <think> [b]] t[c [THINK]]");
}

TEST_CASE("whether the answer is in reasoning is known after each portion") {
  reasoning_parser parser(false);
  std::vector<answer_piece> pieces;
  parser.push("<think", pieces);
  CHECK_FALSE(parser.in_reasoning());
  parser.push(">", pieces);
  CHECK(parser.in_reasoning());
  parser.push("a</think", pieces);
  CHECK(parser.in_reasoning());
  parser.push(">", pieces);
  CHECK_FALSE(parser.in_reasoning());
}

// A million: were each looked at again for each that follows, this would take minutes.
TEST_CASE("a run of white space costs what it is long") {
  constexpr std::size_t count = 1'000'000;
  for (const std::string begin : {"", "<think>a"}) {
    reasoning_parser parser(false);
    std::vector<answer_piece> pieces;
    parser.push(begin, pieces);
    for (std::size_t i = 0; i < count; ++i) parser.push("\n", pieces);
    parser.push("x", pieces);
    parser.finish(pieces);
    std::size_t newlines = 0;
    for (const auto& piece : pieces) newlines += static_cast<std::size_t>(std::ranges::count(piece.text, '\n'));
    CHECK(newlines == count);
    CHECK(pieces.back().text.ends_with("\nx"));
  }
}
