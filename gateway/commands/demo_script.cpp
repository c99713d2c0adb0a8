#include "gateway/commands/demo_script.hpp"

#include <array>

namespace troupe::gateway {
namespace json = boost::json;
namespace {

constexpr std::array<const char*, 12> rules{
    "Read a file before you change it, and say which lines you read.",
    "Prefer the smallest change that makes the failing test pass.",
    "Run the tests after each change and quote the first failure.",
    "Never delete a test to make a suite pass.",
    "Keep the names that the code base already uses.",
    "Explain a surprising choice in one sentence beside the code.",
    "When a tool fails twice with the same message, stop and report it.",
    "Ask a subagent to explore when more than five files may matter.",
    "Write commit messages that say why, in the imperative.",
    "Do not touch generated files; change what generates them.",
    "Measure before you claim that something is faster.",
    "Finish with a summary of what changed and what is left open.",
};
constexpr std::array<const char*, 5> tasks{
    "Find every place where the scheduler takes a block and never gives it back.",
    "List the callers of the function that parses the header, with file and line.",
    "Which tests cover the retry path? Name those that cannot fail.",
    "The build of the parser fails on empty input. Find out why and mend it.",
    "Continue with the second failing test; the first one passes now.",
};
constexpr std::array<const char*, 5> tools{"read_file", "list_files", "search", "write_file", "run_tests"};

}  // namespace

json::object demo_message(const char* role, std::string text) { return {{"role", role}, {"content", std::move(text)}}; }

std::string demo_system_prompt() {
  std::string text = "You are a careful coding agent that works in a repository through tools.\n";
  for (std::size_t chapter = 1; chapter <= 12; ++chapter) {
    text += "\nChapter " + std::to_string(chapter) + "\n";
    for (std::size_t i = 0; i < rules.size(); ++i) text += std::to_string(chapter) + "." + std::to_string(i + 1) + " " + rules[i] + "\n";
  }
  return text;
}

json::array demo_tools() {
  json::array result;
  for (const auto* name : tools)
    result.push_back(json::object{
        {"type", "function"},
        {"function", json::object{{"name", name},
                                  {"description", std::string("The tool ") + name},
                                  {"parameters", json::object{{"type", "object"},
                                                              {"properties", json::object{{"path", json::object{{"type", "string"}}}}}}}}}});
  return result;
}

std::string demo_task(std::size_t number) { return tasks[number % tasks.size()]; }

std::string demo_file(std::size_t number) {
  std::string text = "Result of read_file src/part_" + std::to_string(number) + ".cpp\n";
  for (std::size_t line = 1; line <= 40; ++line)
    text += std::to_string(line) + "  value_" + std::to_string((number * 131 + line * 17) % 997) + " = step(" + std::to_string(line) + ");\n";
  return text;
}

std::string demo_summary() {
  return "Summary of the work so far: the parser failed on empty input because the header was read before its length was checked. The check "
         "was added, one test of three still fails.";
}

}  // namespace troupe::gateway
