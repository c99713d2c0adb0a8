// Templates against what transformers renders (data/templates/golden.jsonl, made by scripts/golden/templates.py), and the limits.
#include "engine/text/chat_template.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using namespace troupe;
using namespace troupe::text;
using namespace std::chrono_literals;

namespace {

// Half a minute: only the test of the time limit may reach one, however busy the machine is.
const render_limits patient{.time = 30s, .output_bytes = 1 << 20};

// Set before the interpreter starts: were it to listen, every test here would fail.
const bool hostile_environment = [] {
  for (const char* name : {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"}) setenv(name, "/nowhere", 1);
  return true;
}();

std::filesystem::path source_folder() {
  const char* folder = std::getenv("TROUPE_SOURCE");
  return folder != nullptr ? folder : ".";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path.string());
  return (std::ostringstream() << file.rdbuf()).str();
}

/// Renders one template once.
expected<std::string> rendered(const std::string& source, const std::string& input = "{}", render_limits limits = patient) {
  template_engine engine(limits);
  auto added = engine.add("t", source);
  if (!added) return added.error();
  return engine.render("t", input);
}

std::string text_of(const std::string& source, const std::string& input = "{}") {
  auto text = rendered(source, input);
  REQUIRE_MESSAGE(text, (text ? "" : text.error().message));
  return *text;
}

failure failure_of(const std::string& source, const std::string& input = "{}", render_limits limits = patient) {
  auto text = rendered(source, input, limits);
  REQUIRE_FALSE(text);
  return text.error();
}

}  // namespace

TEST_CASE("every golden conversation renders as transformers renders it") {
  template_engine engine(patient);
  std::map<std::string, int> seen;
  std::ifstream lines(source_folder() / "test/text/data/templates/golden.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto golden = nlohmann::json::parse(line);
    const auto name = golden["template"].get<std::string>();
    if (seen[name]++ == 0) {
      const auto file = name == "builtin" ? "configs/models/builtin/chat_template.jinja" : "test/text/data/templates/" + name + ".jinja";
      auto added = engine.add(name, read_file(source_folder() / file));
      REQUIRE_MESSAGE(added, (added ? "" : added.error().message));
      CHECK(*added == seen.size());
    }
    INFO(name, " ", golden["input"].get<std::string>());
    const auto text = engine.render(name, golden["input"].get<std::string>());
    if (golden.contains("output")) {
      REQUIRE_MESSAGE(text, (text ? "" : text.error().message));
      REQUIRE(*text == golden["output"].get<std::string>());
      continue;
    }
    REQUIRE_FALSE(text);
    // An error of continue_final_message is worded by transformers; all others are the template's own words.
    const auto said = golden["error"].get<std::string>();
    CHECK(text.error().code == (said.empty() ? errc::invalid_request : errc::template_failed));
    if (!said.empty()) CHECK(text.error().message == said);
  }
  CHECK(seen ==
        std::map<std::string, int>{
            {"alternation", 42}, {"builtin", 46}, {"chatml", 42}, {"headers_dates", 42}, {"language", 46}, {"tools_reasoning", 46}});
}

TEST_CASE("the environment has no say in the interpreter") {
  REQUIRE(hostile_environment);
  CHECK(text_of("{{ 1 + 1 }}") == "2");
}

TEST_CASE("the date is today's") {
  const auto year = text_of("{{ strftime_now('%Y') }}");
  CHECK(year.size() == 4);
  CHECK(std::stoi(year) >= 2024);
}

TEST_CASE("reasoning is known under each of its names") {
  CHECK(text_of("{{ messages[0].thinking }}{{ messages[0].reasoning_content }}", R"({"messages": [{"reasoning": "r"}]})") == "rr");
}

TEST_CASE("keys keep their order and surrogate escapes become text") {
  CHECK(text_of("{{ x | tojson }}", R"({"x": {"z": 1, "a": 12345678901234567890123, "m": 1.50}})") ==
        R"({"z": 1, "a": 12345678901234567890123, "m": 1.5})");
  CHECK(text_of("{{ x }}", R"({"x": "\ud83c\udfad|\ud800|\u0000"})") == std::string("🎭|\uFFFD|\0", 10));
}

TEST_CASE("an error says what the template said, or what jinja2 said and where") {
  CHECK(failure_of("{{ raise_exception('no, never') }}") == failure{errc::template_failed, "no, never", ""});
  CHECK(failure_of("a\n{% if %}") == failure{errc::template_failed, "Expected an expression, got 'end of statement block' (line 2)", ""});
  CHECK(failure_of("a\nb\n{{ nothing.more }}") == failure{errc::template_failed, "'nothing' is undefined (line 3)", ""});
  CHECK(failure_of("a\n{{ 1 / 0 }}") == failure{errc::template_failed, "division by zero (line 2)", ""});
  CHECK(failure_of("{% macro f(n) %}\n{{ f(n) }}{% endmacro %}{{ f(1) }}").message.starts_with("maximum recursion depth exceeded"));
}

TEST_CASE("what is no JSON object is refused") {
  for (const char* input : {"", "[]", "{", "{\"messages\": 1}", "{\"messages\": [1]}", "{\"a\": \"\xFF\"}"}) {
    INFO(input);
    CHECK(failure_of("x", input).code == errc::invalid_request);
  }
  CHECK(failure_of("x", "{\"a\": " + std::string(100'000, '[')).code == errc::invalid_request);
}

TEST_CASE("a template sees neither files nor the interpreter") {
  CHECK(failure_of("{% include '/etc/passwd' %}").code == errc::template_failed);
  CHECK(failure_of("{{ ''.__class__.__mro__ }}").code == errc::template_failed);
  CHECK(failure_of("{{ messages.append(1) }}", R"({"messages": []})").code == errc::template_failed);
  CHECK(failure_of("{% set n = namespace(a=1) %}{% set n.__x__ = 2 %}").code == errc::template_failed);
  CHECK(failure_of("{{ raise_exception.__globals__.json }}").code == errc::template_failed);
}

TEST_CASE("too much output is cut off before it is made") {
  const failure too_much{errc::template_failed, "the template wrote too much", ""};
  CHECK(failure_of("{{ 'x' * 1000 }}", "{}", {.time = 30s, .output_bytes = 999}) == too_much);
  CHECK(failure_of("{% for i in range(1000) %}x{% endfor %}", "{}", {.time = 30s, .output_bytes = 999}) == too_much);
  CHECK(failure_of("{{ 'x' * 10000000000000 }}") == too_much);
  CHECK(failure_of("{% for i in range(500) %}ü{% endfor %}", "{}", {.time = 30s, .output_bytes = 999}) == too_much);
  CHECK(*rendered("{% for i in range(999) %}x{% endfor %}", "{}", {.time = 30s, .output_bytes = 999}) == std::string(999, 'x'));
  CHECK(failure_of("{{ 9 ** 999999999 }}").message == "an exponent above 64 is not allowed (line 1)");
  CHECK(failure_of("{{ ((((10 ** 64) ** 64) ** 64) ** 64) }}").message == "a number of more than 4096 bits is not allowed (line 1)");
  for (const auto* wide : {"{{ '%900000000d' % 1 }}", "{{ '%.900000000f' % 1 }}", "{{ 'a'.ljust(900000000) }}", "{{ 'a'.zfill(900000000) }}",
                           "{{ 'a' | center(900000000) }}", "{{ 'a\nb' | indent(900000000) }}", "{{ '{:900000000}'.format(1) }}"}) {
    CAPTURE(wide);
    CHECK(failure_of(wide) == too_much);
  }
  for (const auto* given : {"{{ '%*d' % (900000000, 1) }}", "{{ '{:{}}'.format(1, 900000000) }}"}) {
    CAPTURE(given);
    CHECK(failure_of(given).message == "a width given by an argument is not allowed in a format (line 1)");
  }
}

TEST_CASE("a template that loops without output is ended, and the engine goes on") {
  template_engine engine({.time = 50ms, .output_bytes = 1 << 20});
  REQUIRE(engine.add("loop", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"));
  REQUIRE(engine.add(
      "swallow", "{% for a in range(99999) %}{% for b in range(99999) %}{% set x = none | default('a') | int %}{% endfor %}{% endfor %}"));
  REQUIRE(engine.add("good", "good"));
  for (const char* name : {"loop", "swallow", "loop"}) {
    const auto text = engine.render(name, "{}");
    REQUIRE_FALSE(text);
    CHECK(text.error() == failure{errc::template_failed, "the template ran longer than 50 ms", ""});
    for (int again = 0; again < 20; ++again) CHECK(*engine.render("good", "{}") == "good");
  }
}

TEST_CASE("an engine may be made again on another thread, and a name replaced") {
  for (int round = 0; round < 3; ++round) {
    std::thread([round] {
      template_engine engine(patient);
      CHECK(*engine.add("a", "1") == 1);
      CHECK(*engine.add("b", "2") == 2);
      CHECK(*engine.add("a", std::to_string(round)) == 2);
      CHECK(*engine.render("a", "{}") == std::to_string(round));
      CHECK(engine.render("c", "{}").error().code == errc::not_found);
    }).join();
  }
  template_engine first(patient), second(patient);
  REQUIRE(first.add("a", "first"));
  CHECK(second.render("a", "{}").error().code == errc::not_found);
}
