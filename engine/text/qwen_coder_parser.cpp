#include "engine/text/qwen_coder_parser.hpp"

#include <algorithm>

#include "engine/text/answer_pieces.hpp"
#include "engine/text/chat_input_json.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

using kind = answer_piece::kind;
constexpr std::string_view call_open = "<tool_call>";
constexpr std::string_view call_close = "</tool_call>";
constexpr std::string_view function_open = "<function=";
constexpr std::string_view function_close = "</function>";
constexpr std::string_view parameter_open = "<parameter=";
constexpr std::string_view parameter_close = "</parameter>";

/// NAME> at the begin of `text`. `name` is empty unless it is whole.
match read_name(std::string_view text, std::string_view& name) {
  const auto end = text.find_first_of("<>\n");
  if (end == std::string_view::npos) return text.size() > limits::tool_head_bytes_max ? match::no : match::partial;
  if (text[end] != '>' || end == 0 || end > limits::tool_head_bytes_max) return match::no;
  name = text.substr(0, end);
  return match::yes;
}

}  // namespace

qwen_coder_parser::qwen_coder_parser(std::span<const core::chat_tool> tools)
    : tools_(tools.begin(), tools.end()), text_({call_open, function_open}) {}

std::vector<std::string> qwen_coder_parser::markers() const {
  std::vector<std::string> all;
  for (const auto marker : {call_open, call_close, function_open, function_close, parameter_open, parameter_close})
    all.emplace_back(marker);
  return all;
}

void qwen_coder_parser::push(std::string_view text, std::vector<answer_piece>& pieces) {
  text_.append(text);
  while (step(pieces, input::open)) {
  }
  text_.compact();
}

void qwen_coder_parser::finish(std::vector<answer_piece>& pieces) {
  while (step(pieces, input::ended)) {
  }
  text_.compact();
}

/// Decides as much as it can; true when the place changed and there may be more to decide.
bool qwen_coder_parser::step(std::vector<answer_piece>& pieces, input more) {
  switch (where_) {
    case place::text:
      if (!text_.find_marker(pieces, more)) return false;
      where_ = place::head;
      return true;
    case place::head:
      return read_head(pieces, more);
    case place::between:
      return read_between(pieces, more);
    case place::value:
      return read_value(pieces, more);
    case place::tail:
      return read_tail(more);
  }
  return false;
}

bool qwen_coder_parser::read_head(std::vector<answer_piece>& pieces, input more) {
  const auto text = text_.inside();
  auto found = match::yes;
  std::size_t at = 0;
  if (text_.marker() == call_open) {
    at = blank_length(text);
    found = begins_with(text.substr(at), function_open);
    if (found == match::yes) at += function_open.size();
  }
  std::size_t size = at;  // of what is there for sure: it does not depend on where the text was cut
  std::string_view name;
  if (found == match::yes) found = read_name(text.substr(at), name);
  if (!name.empty()) {
    at += name.size() + 1;
    size = at + blank_length(text.substr(at));
    const auto next = text.substr(size);
    found = begins_with(next, parameter_open);
    if (found == match::no) found = begins_with(next, function_close);
    if (text_.marker() == function_open && !is_offered(name)) found = match::no;
  }
  const bool is_long = size > limits::tool_head_bytes_max;
  if (found == match::partial && more == input::open && !is_long) return false;
  if (found != match::yes || is_long) {
    text_.give_up(pieces);
    where_ = place::text;
    return true;
  }
  begin_call(name, pieces);
  text_.drop(text_.inside_at() + at);
  return true;
}

/// Without its outer marker a call is one only by the name of a tool.
bool qwen_coder_parser::is_offered(std::string_view name) const {
  return std::ranges::any_of(tools_, [&](const auto& tool) { return tool.name == name; });
}

void qwen_coder_parser::begin_call(std::string_view name, std::vector<answer_piece>& pieces) {
  pieces.push_back({.what = kind::tool_begin, .text = std::string(name), .tool_index = calls_++});
  kinds_ = value_kinds_of(tools_, name);
  has_parameters_ = false;
  where_ = place::between;
}

/// Whatever is no parameter ends the call: what it has is a whole object, and the rest is read as text.
bool qwen_coder_parser::read_between(std::vector<answer_piece>& pieces, input more) {
  const auto text = text_.rest();
  const auto at = blank_length(text);
  if (at > limits::tool_head_bytes_max) return close_call(place::text, pieces);
  const auto next = text.substr(at);
  const auto parameter = begins_with(next, parameter_open);
  if (parameter == match::yes) return read_key(at + parameter_open.size(), pieces, more);
  const auto function_end = begins_with(next, function_close), call_end = begins_with(next, call_close);
  const bool is_partial = parameter == match::partial || function_end == match::partial || call_end == match::partial;
  if (is_partial && more == input::open) return false;
  if (function_end == match::yes) {
    text_.drop(at + function_close.size());
    return close_call(place::tail, pieces);
  }
  if (call_end == match::yes) text_.drop(at + call_close.size());
  if (is_partial && more == input::ended) text_.drop(text.size());  // the begin of one of its markers
  return close_call(place::text, pieces);
}

bool qwen_coder_parser::read_key(std::size_t at, std::vector<answer_piece>& pieces, input more) {
  const auto text = text_.rest();
  std::string_view key;
  const auto found = read_name(text.substr(at), key);
  if (found == match::partial && more == input::open) return false;
  if (found == match::partial) text_.drop(text.size());
  if (found != match::yes) return close_call(place::text, pieces);
  append_piece(pieces, kind::tool_arguments, (has_parameters_ ? ", " : "{") + quote(key) + ": ", calls_ - 1);
  const auto known = kinds_.find(key);
  value_ = parameter_value(known != kinds_.end() ? known->second : value_kind::json);
  has_parameters_ = true;
  value_begins_ = true;
  searched_ = 0;
  text_.drop(at + key.size() + 1);
  where_ = place::value;
  return true;
}

bool qwen_coder_parser::read_value(std::vector<answer_piece>& pieces, input more) {
  if (value_begins_ && !text_.rest().empty()) {
    if (text_.rest().front() == '\n') text_.drop(1);
    value_begins_ = false;
  }
  const auto text = text_.rest();
  const auto end = text.find(parameter_close, searched_);
  if (end != std::string_view::npos) return end_value(end, parameter_close.size(), pieces);
  if (more == input::ended) return end_value(text.size(), 0, pieces);
  auto certain = text.size() - suffix_that_begins(text, parameter_close);
  searched_ = certain;
  if (certain > 0 && text[certain - 1] == '\n') --certain;  // it may belong to the closing marker
  std::string json;
  const auto bytes = value_.read(text.substr(0, certain), json);
  append_piece(pieces, kind::tool_arguments, json, calls_ - 1);
  text_.drop(bytes);
  searched_ -= bytes;
  return false;
}

bool qwen_coder_parser::end_value(std::size_t bytes, std::size_t marker_bytes, std::vector<answer_piece>& pieces) {
  auto value = text_.rest().substr(0, bytes);
  if (value.ends_with('\n')) value.remove_suffix(1);
  std::string json;
  value_.finish(value, json);
  append_piece(pieces, kind::tool_arguments, json, calls_ - 1);
  text_.drop(bytes + marker_bytes);
  where_ = place::between;
  return true;
}

bool qwen_coder_parser::close_call(place next, std::vector<answer_piece>& pieces) {
  append_piece(pieces, kind::tool_arguments, has_parameters_ ? "}" : "{}", calls_ - 1);
  text_.end_call();
  where_ = next;
  return true;
}

bool qwen_coder_parser::read_tail(input more) {
  const auto text = text_.rest();
  const auto at = blank_length(text);
  const auto close = at <= limits::tool_head_bytes_max ? begins_with(text.substr(at), call_close) : match::no;
  if (close == match::partial && more == input::open) return false;
  if (close == match::yes) text_.drop(at + call_close.size());
  if (close == match::partial && more == input::ended) text_.drop(text.size());
  where_ = place::text;
  return true;
}

}  // namespace troupe::text
