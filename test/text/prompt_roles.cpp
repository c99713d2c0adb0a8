// Roles over the templates that there are: what each byte of a rendering counts as, and that a history that grows, is rewritten and is
// rewound gives the same as reading it anew.
#include "engine/text/prompt_roles.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "engine/text/chat_input.hpp"
#include "engine/text/chat_template.hpp"
#include "test/support/byte_tokenizer.hpp"

using namespace troupe;
using namespace troupe::core;
using namespace troupe::text;
using kind = chat_block::kind;

namespace {

std::string template_of(const std::string& name) {
  const char* folder = std::getenv("TROUPE_SOURCE");
  const std::filesystem::path source = folder != nullptr ? folder : ".";
  const auto path = source / (name == "builtin" ? "configs/models/builtin/chat_template.jinja" : "test/text/data/templates/" + name + ".jinja");
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path.string());
  return (std::ostringstream() << file.rdbuf()).str();
}

struct conversation {
  std::vector<chat_message> messages;
  std::vector<chat_tool> tools;
};

chat_message says(chat_role role, std::string text) { return {role, {{kind::text, std::move(text), {}, {}}}}; }
chat_message calls(std::string reasoning, std::string name, std::string arguments) {
  return {chat_role::assistant, {{kind::reasoning, std::move(reasoning), {}, {}}, {kind::tool_call, std::move(arguments), "c", std::move(name)}}};
}
chat_message result(std::string text) { return {chat_role::tool, {{kind::tool_result, std::move(text), "c", {}}}}; }
chat_tool tool(const std::string& name) {
  return {name, R"({"type": "function", "function": {"name": ")" + name + R"(", "parameters": {}}})"};
}

/// One session with one template: renders, encodes and reads.
struct reader {
  explicit reader(const std::string& name) : engine({.time = std::chrono::seconds{30}, .output_bytes = 1 << 20}) {
    auto added = engine.add("t", template_of(name));
    REQUIRE_MESSAGE(added, (added ? "" : added.error().message));
  }
  std::string render(const conversation& of) {
    const std::vector<std::pair<std::string, std::string>> variables{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"date_string", "today"}};
    const auto input = to_template_input({.messages = of.messages, .tools = of.tools, .variables = variables});
    REQUIRE(input);
    auto text = engine.render("t", *input);
    REQUIRE_MESSAGE(text, (text ? "" : text.error().message));
    return *text;
  }
  std::vector<role_range> read(const conversation& of) {
    const auto rendered = render(of);
    const auto& prompt = encoder.encode(rendered, {.add_special_tokens = false, .parse_special_tokens = true});
    tokens = prompt.tokens;
    roles.update({of.messages, of.tools, rendered, *spelling}, prompt);
    return roles.ranges();
  }
  /// The text of each range behind its role.
  std::vector<std::string> lines(const conversation& of) {
    std::vector<std::string> told;
    std::uint32_t begin = 0;
    for (const auto& range : read(of)) {
      told.push_back(std::string{to_string(range.role)} + ": ");
      for (; begin < range.token_end; ++begin) told.back() += spelling->token_bytes(tokens[begin]);
    }
    CHECK(begin == tokens.size());
    return told;
  }

  std::shared_ptr<const tokenizer> spelling = test::byte_tokenizer::make();
  template_engine engine;
  prompt_encoder encoder{spelling, block_hasher{std::uint64_t{1}, 4}};
  prompt_roles roles;
  std::vector<token_id> tokens;
};

conversation working() {
  return {{says(chat_role::system, "Be kind."), says(chat_role::user, "Look."), calls("hm", "read_file", R"({"a": 1})"), result("one"),
           calls("more", "search", R"({"b":2})"), result("two"), result("three")},
          {tool("read_file"), tool("search")}};
}

}  // namespace

TEST_CASE("system, tools, question, reasoning, calls and results have their roles") {
  reader r("builtin");
  const auto told = r.lines(working());
  REQUIRE(told.size() == 9);
  CHECK(told[0] == "system: <|im_start|>system\nBe kind.\n\n# Tools\n\nThese functions can be called:\n<tools>\n");
  CHECK(told[1].starts_with(R"(tools: {"type": "function", "function": {"name": "read_file")"));
  CHECK(told[1].ends_with("</tool_call><|im_end|>\n<|im_start|>user\n"));
  CHECK(told[2] == "user: Look.");
  CHECK(told[3] == "reasoning: <|im_end|>\n<|im_start|>assistant\n<think>\nhm");
  CHECK(told[4] == "output: \n</think>\n\n<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"a\": 1}");
  CHECK(told[5] == "tool_result: }\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\none");
  CHECK(told[6] == "reasoning: \n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\nmore");
  // The second call's arguments are spelled anew by the template: what it has instead is the call's too.
  CHECK(told[7] == "output: \n</think>\n\n<tool_call>\n{\"name\": \"search\", \"arguments\": {\"b\": 2}}\n</tool_call><|im_end|>\n"
                   "<|im_start|>user\n<tool_response>\n");
  CHECK(told[8] == "tool_result: two\n</tool_response>\n<tool_response>\nthree\n</tool_response><|im_end|>\n<|im_start|>assistant\n");
  CHECK(head_tokens(r.roles.ranges()) == told[0].size() + told[1].size() - 8 - 7 - 2 * 11 - 9);  // names of roles, three special tokens
}

TEST_CASE("a byte of the rendering is somebody's, up to the last piece of the conversation") {
  reader r("builtin");
  CHECK_FALSE(r.roles.role_at(0));
  const auto told = r.lines(working());
  const auto bytes_of = [&](std::size_t line) { return told[line].substr(told[line].find(": ") + 2).size(); };
  const auto tools = bytes_of(0);
  CHECK(r.roles.role_at(0) == block_role::system);
  CHECK(r.roles.role_at(tools - 1) == block_role::system);
  CHECK(r.roles.role_at(tools) == block_role::tools);
  CHECK(r.roles.role_at(tools + bytes_of(1)) == block_role::user);
  CHECK(r.roles.role_at(tools + bytes_of(1) + bytes_of(2)) == block_role::reasoning);
  std::size_t end = 0;
  for (std::size_t line = 0; line < told.size(); ++line) end += bytes_of(line);
  const std::string behind = "\n</tool_response><|im_end|>\n<|im_start|>assistant\n";
  CHECK(r.roles.role_at(end - behind.size() - 1) == block_role::tool_result);
  CHECK_FALSE(r.roles.role_at(end - behind.size()));
}

TEST_CASE("the next question drops the reasoning that the template drops") {
  reader r("tools_reasoning");
  auto talk = working();
  CHECK(open_reasoning(r.read(talk)).has_value());
  talk.messages.push_back(says(chat_role::assistant, "Found."));
  talk.messages.push_back(says(chat_role::user, "And now?"));
  const auto ranges = r.read(talk);
  CHECK_FALSE(open_reasoning(ranges).has_value());
  CHECK(std::ranges::count(ranges, block_role::reasoning, &role_range::role) == 0);
  CHECK(ranges.back() == role_range{block_role::user, static_cast<std::uint32_t>(r.tokens.size())});
}

TEST_CASE("a system text and a begin that no message owns are the system's") {
  reader plain("chatml");
  CHECK(plain.lines({{says(chat_role::user, "Hi!")}, {}}) ==
        std::vector<std::string>{"system: <|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n", "user: Hi!<|im_end|>\n<|im_start|>assistant\n"});
  reader dated("headers_dates");
  const auto told = dated.lines({{says(chat_role::system, "Be kind."), says(chat_role::user, "Hi!")}, {tool("read_file")}});
  REQUIRE(told.size() == 4);
  CHECK(told[0].starts_with("system: <s><|start_header_id|>system"));
  CHECK(told[1].starts_with("tools:         \"name\": \"read_file\""));
  CHECK(told[2] == "system: Be kind.");
  CHECK(told[3].starts_with("user: <|eot_id|><|start_header_id|>user"));
}

TEST_CASE("a template that shows no tools has none, and an unnamed prompt has no head") {
  reader r("alternation");
  const auto ranges = r.read({{says(chat_role::user, "Hi there"), says(chat_role::assistant, "Yes"), says(chat_role::user, "So")}, {}});
  CHECK(std::ranges::count(ranges, block_role::tools, &role_range::role) == 0);
  CHECK(ranges.back().role == block_role::user);
  CHECK(head_tokens({}) == 0);
}

TEST_CASE("a piece is found again for a breakpoint, counted in whole tokens") {
  reader r("builtin");
  const auto talk = working();
  const auto told = r.lines(talk);
  const auto rendered = r.render(talk);
  const auto ends = static_cast<std::uint32_t>(rendered.find("Look.") + 5);
  // Of these bytes a special token is one: four of them lie before.
  CHECK(r.roles.token_end(1, 0) == ends - 2 * (12 - 1) - (10 - 1));
  CHECK(r.roles.token_end(4, 1) == 0);  // its arguments are spelled anew
  CHECK(r.roles.token_end(99, 0) == 0);
}

TEST_CASE("however a conversation grows, is cut or rewritten, what was kept from turn to turn changes no role") {
  for (const std::string name : {"builtin", "tools_reasoning", "chatml"}) {
    reader kept(name);
    std::mt19937_64 random(3);
    conversation talk = working();
    for (int step = 0; step < 60; ++step) {
      const auto text = "t" + std::to_string(step) + (random() % 4 == 0 ? "\n and more;" : ";");
      switch (random() % 7) {
        case 0:
          talk.messages.push_back(says(chat_role::user, text));
          break;
        case 1:
          talk.messages.push_back(calls("thought " + text, random() % 2 == 0 ? "read_file" : "search", R"({"a":)" + std::to_string(step) + "}"));
          talk.messages.push_back(result(text));
          break;
        case 2:
          talk.messages.push_back(says(chat_role::assistant, text));
          break;
        case 3:
          if (talk.messages.size() > 3) talk.messages.pop_back();
          break;
        case 4:
          if (auto& block = talk.messages[random() % talk.messages.size()].blocks.back(); block.what != kind::tool_call) block.text += "x";
          break;
        case 5:
          if (talk.messages.size() > 4) talk.messages.erase(talk.messages.begin() + 2);
          break;
        default:
          if (random() % 4 == 0) talk.tools.push_back(tool("more" + std::to_string(step)));
      }
      reader anew(name);
      INFO(name, " step ", step, "\n", kept.render(talk));
      REQUIRE(kept.read(talk) == anew.read(talk));
    }
  }
}
