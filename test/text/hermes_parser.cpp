// The object inside a call, and calls made at random: the fragments are the arguments' own text, valid JSON whenever the model wrote it.
#include "engine/text/hermes_parser.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "test/text/answer_script.hpp"

using namespace troupe::text;

namespace {

struct outcome {
  hermes_call::progress last = hermes_call::progress::inside;
  std::size_t read = 0;  ///< bytes until closed or broken
  std::string name, arguments;
  bool operator==(const outcome&) const = default;
};

outcome read(const std::string& text) {
  hermes_call call;
  outcome result;
  while (result.last == hermes_call::progress::inside && result.read < text.size()) result.last = call.feed(text[result.read++]);
  result.name = call.name();
  result.arguments = call.take_arguments();
  return result;
}

constexpr auto inside = hermes_call::progress::inside;
constexpr auto closed = hermes_call::progress::closed;
constexpr auto broken = hermes_call::progress::broken;

/// A random JSON text with everything that a scanner may trip over.
std::string random_value(std::mt19937& random, int depth) {
  static const std::vector<std::string> leaves = {"1",
                                                  "-2.5e+3",
                                                  "true",
                                                  "null",
                                                  "\"\"",
                                                  "\"}\\\"{\"",
                                                  "\"</tool_call>\"",
                                                  "\"\\\\\"",
                                                  "\"ü\\u00fc\\n\"",
                                                  "\"<tool_call>{\\\"name\\\": \\\"x\\\"\""};
  static const std::vector<std::string> spaces = {"", " ", "\n  "};
  const auto space = [&] { return spaces[random() % spaces.size()]; };
  const auto pick = depth == 0 ? 2 : random() % 4;
  if (pick >= 2) return leaves[random() % leaves.size()];
  std::string text = pick == 0 ? "{" : "[";
  const auto count = random() % 4;
  for (std::size_t index = 0; index < count; ++index) {
    if (index > 0) text.append(",").append(space());
    if (pick == 0) text.append("\"k").append(std::to_string(index)).append("\":").append(space());
    text.append(random_value(random, depth - 1)).append(space());
  }
  text += pick == 0 ? '}' : ']';
  return text;
}

}  // namespace

TEST_CASE("the object is read to its last brace") {
  CHECK(read("{\"name\": \"f\", \"arguments\": {\"a\": \"}\"}}x") == outcome{closed, 38, "f", "{\"a\": \"}\"}"});
  CHECK(read(" \n{ \"name\" : \"f\" , \"arguments\" : 1.5e3 } ") == outcome{closed, 40, "f", "1.5e3"});
  CHECK(read("{\"arguments\":[],\"name\":\"f\"}") == outcome{closed, 27, "f", "[]"});
  CHECK(read("{\"name\": \"f\"}") == outcome{closed, 13, "f", ""});
  CHECK(read("{\"name\": \"f\", \"arguments\": {\"a\": [") == outcome{inside, 34, "f", "{\"a\": ["});
}

TEST_CASE("what is no call is known at the first byte that says so") {
  CHECK(read("say") == outcome{broken, 1, "", ""});
  CHECK(read("{name") == outcome{broken, 2, "", ""});
  CHECK(read("{\"kind\": 1}") == outcome{broken, 7, "", ""});
  CHECK(read("{\"name\", ") == outcome{broken, 8, "", ""});
  CHECK(read("{\"name\": [\"f\"]}") == outcome{broken, 14, "", ""});
  CHECK(read("{\"name\": \"\"}") == outcome{broken, 11, "", ""});
  CHECK(read("{\"name\": \"f\", \"arguments\": {\"a\": 1<") == outcome{broken, 35, "f", "{\"a\": 1"});
  CHECK(read("{\"name\": \"f\", \"arguments\": , ") == outcome{broken, 28, "f", ""});
  CHECK(read("{}") == outcome{closed, 2, "", ""});
}

TEST_CASE("of a member that comes twice the first counts") {
  CHECK(read("{\"name\":\"f\",\"arguments\":{},\"name\":\"g\",\"arguments\":[1]}") == outcome{closed, 54, "f", "{}"});
}

TEST_CASE("random calls come out as they were written, in every portioning") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    INFO("seed ", seed);
    std::mt19937 random(seed);
    std::string text = "Now.", expected = "t[Now.]";
    const auto count = 1 + random() % 3;
    for (std::size_t index = 0; index < count; ++index) {
      const auto arguments = random_value(random, 3), number = std::to_string(index);
      REQUIRE(nlohmann::json::accept(arguments));
      const bool name_first = random() % 2 == 0;
      text += "\n<tool_call>\n{" +
              (name_first ? "\"name\": \"f\", \"arguments\": " + arguments : "\"arguments\": " + arguments + ", \"name\": \"f\"") +
              "}\n</tool_call>";
      expected += " " + number + ":f " + number + "(" + arguments + ")";
    }
    for (const auto& portions : all_portionings(text, seed)) {
      hermes_parser parser;
      std::vector<answer_piece> pieces;
      for (const auto& portion : portions) parser.push(portion, pieces);
      parser.finish(pieces);
      REQUIRE(written(pieces) == expected);
    }
  }
}

TEST_CASE("no text is lost, whatever is written") {
  static const std::vector<std::string> scraps = {"<tool_call>", "</tool_call", "\n", "{\"name\"",         ": ",
                                                  "x",           "\"",          "<",  "{\"arguments\": {", "}"};
  for (unsigned seed = 1; seed <= 300; ++seed) {
    INFO("seed ", seed);
    std::mt19937 random(seed);
    std::string text;
    for (int count = 0; count < 12; ++count) text += scraps[random() % scraps.size()];
    std::string whole;
    for (const auto& portions : all_portionings(text, seed)) {
      hermes_parser parser;
      std::vector<answer_piece> pieces;
      for (const auto& portion : portions) parser.push(portion, pieces);
      parser.finish(pieces);
      if (whole.empty()) whole = written(pieces);
      REQUIRE(written(pieces) == whole);
      if (parser.calls() == 0) REQUIRE(whole == "t[" + text + "]");
    }
  }
}
