#include "gateway/responses_tools.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "gateway/json_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

/// The grammar of a custom tool's text, in words: nothing forces it.
std::string describe_format(const json_reader& tool) {
  const auto* format = tool.object("format");
  if (format == nullptr) return {};
  const json_reader reader(*format, tool.path_of("format"), tool.failed());
  std::string type, syntax, definition;
  if (!reader.read("type", type) || type != "grammar") return {};
  reader.read("syntax", syntax);
  reader.read("definition", definition);
  return "\n\nThe input follows this grammar (" + syntax + "):\n" + definition;
}

std::string members_of_custom(const json_reader& tool) {
  std::string description, members = ",\"description\":";
  tool.read("description", description);
  append_json_string(members, description + describe_format(tool));
  return members + R"(,"parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})";
}

std::string members_of_function(const json_reader& tool) {
  std::string members, description;
  if (tool.read("description", description)) {
    members = ",\"description\":";
    append_json_string(members, description);
  }
  const auto* parameters = tool.object("parameters");
  return members + ",\"parameters\":" + (parameters ? json::serialize(*parameters) : R"({"type":"object","properties":{}})");
}

}  // namespace

void offered_tools::read(const json::array& tools, const std::string& path, first_failure& failed) {
  for (std::size_t i = 0; i < tools.size(); ++i) read_tool(tools[i], index_path(path, i), {}, failed);
  if (tools_.size() > limits::tools_max) refuse_type(failed, path, "at most " + std::to_string(limits::tools_max) + " tools");
}

void offered_tools::read_tool(const json::value& value, const std::string& path, const std::string& space, first_failure& failed) {
  if (!value.is_object()) return refuse_type(failed, path, "an object");
  const json_reader tool(value.get_object(), path, failed);
  std::string type, name;
  if (!tool.read("type", type)) return tool.refuse("type", "is missing");
  const bool is_custom = type == "custom", is_space = type == "namespace" && space.empty();
  if (type != "function" && !is_custom && !is_space) return;
  if (!tool.read("name", name) || name.empty()) return tool.refuse("name", "is missing");
  if (!is_space) {
    return add({{{}, name, space, is_custom}, is_custom ? members_of_custom(tool) : members_of_function(tool)});
  }
  const auto* nested = tool.array("tools");
  for (std::size_t i = 0; nested != nullptr && i < nested->size(); ++i)
    read_tool((*nested)[i], index_path(tool.path_of("tools"), i), name, failed);
}

offered_tools::definition* offered_tools::find_exact(std::string_view name, std::string_view space) {
  const auto exact =
      std::ranges::find_if(tools_, [&](const definition& each) { return each.tool.name == name && each.tool.space == space; });
  return exact == tools_.end() ? nullptr : &*exact;
}

void offered_tools::add(definition made) {
  auto* known = find_exact(made.tool.name, made.tool.space);
  if (known == nullptr)
    tools_.push_back(std::move(made));
  else
    *known = std::move(made);
}

void offered_tools::append_missing(offered_tools other) {
  for (auto& each : other.tools_)
    if (find_exact(each.tool.name, each.tool.space) == nullptr) tools_.push_back(std::move(each));
}

bool offered_tools::is_taken(std::string_view offered) const {
  return std::ranges::any_of(tools_, [&](const definition& each) { return each.tool.offered == offered; });
}

void offered_tools::offer(turn_prompt& prompt) {
  for (auto& [tool, function] : tools_) {
    const auto same = std::ranges::count_if(tools_, [&](const definition& each) { return each.tool.name == tool.name; });
    auto offered = same == 1 || tool.space.empty() ? tool.name : tool.space + "__" + tool.name;
    while (is_taken(offered)) offered += "_";
    tool.offered = std::move(offered);
    std::string text = R"({"type":"function","function":{"name":)";
    append_json_string(text, tool.offered);
    prompt.tools.push_back({tool.offered, text + function + "}}"});
  }
}

const offered_tool* offered_tools::find(std::string_view offered) const {
  const auto found = std::ranges::find_if(tools_, [&](const definition& each) { return each.tool.offered == offered; });
  return found == tools_.end() ? nullptr : &found->tool;
}

std::string offered_tools::offered_name(std::string_view name, std::string_view space) const {
  const auto exact =
      std::ranges::find_if(tools_, [&](const definition& each) { return each.tool.name == name && each.tool.space == space; });
  return exact == tools_.end() ? std::string(name) : exact->tool.offered;
}

}  // namespace troupe::gateway
