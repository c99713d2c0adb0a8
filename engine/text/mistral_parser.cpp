#include "engine/text/mistral_parser.hpp"

#include <utility>

#include "engine/text/answer_pieces.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

using kind = answer_piece::kind;
constexpr std::string_view call_marker = "[TOOL_CALLS]";
constexpr std::string_view arguments_marker = "[ARGS]";
constexpr std::string_view id_marker = "[CALL_ID]";

}  // namespace

mistral_parser::mistral_parser() : text_({call_marker}) {}

std::vector<std::string> mistral_parser::markers() const {
  return {std::string(call_marker), std::string(arguments_marker), std::string(id_marker)};
}

void mistral_parser::push(std::string_view text, std::vector<answer_piece>& pieces) {
  text_.append(text);
  while (step(pieces, input::open)) {
  }
  text_.compact();
}

void mistral_parser::finish(std::vector<answer_piece>& pieces) {
  while (step(pieces, input::ended)) {
  }
  text_.compact();
}

/// Decides as much as it can; true when the place changed and there may be more to decide.
bool mistral_parser::step(std::vector<answer_piece>& pieces, input more) {
  switch (where_) {
    case place::text:
      if (!text_.find_marker(pieces, more)) return false;
      where_ = place::head;
      return true;
    case place::head:
      return read_head(pieces, more);
    case place::element:
      return read_element(pieces, more);
    case place::between:
      return read_between(more);
    case place::value:
      return read_value(pieces);
  }
  return false;
}

bool mistral_parser::wait_or_give_up(std::vector<answer_piece>& pieces, input more) {
  if (more == input::open && text_.inside().size() <= limits::tool_head_bytes_max) return false;
  text_.give_up(pieces);
  where_ = place::text;
  return true;
}

bool mistral_parser::read_head(std::vector<answer_piece>& pieces, input more) {
  const auto text = text_.inside();
  const auto begin = blank_length(text);
  if (begin == text.size()) return wait_or_give_up(pieces, more);
  if (text[begin] != '[') return read_named(begin, pieces, more);
  const auto object = begin + 1 + blank_length(text.substr(begin + 1));
  if (object == text.size()) return wait_or_give_up(pieces, more);
  if (text[object] != '{' || object > limits::tool_head_bytes_max) return wait_or_give_up(pieces, input::ended);
  first_element_ = true;
  return enter_element(text_.inside_at() + object);
}

/// NAME{...}, with [CALL_ID]ID, [ARGS] or both between: not every tokenizer writes all of them.
bool mistral_parser::read_named(std::size_t name_at, std::vector<answer_piece>& pieces, input more) {
  const auto text = text_.inside();
  auto at = text.find_first_of(" \t\r\n[{", name_at);
  if (at == std::string_view::npos) return wait_or_give_up(pieces, more);
  const auto name = text.substr(name_at, at - name_at);
  const auto id = begins_with(text.substr(at), id_marker);
  if (id == match::yes) at = text.find_first_of(" \t\r\n[{", at + id_marker.size());
  if (id == match::partial || at == std::string_view::npos) return wait_or_give_up(pieces, more);
  const auto tag = begins_with(text.substr(at), arguments_marker);
  if (tag == match::partial) return wait_or_give_up(pieces, more);
  if (tag == match::yes) {
    at += arguments_marker.size();
    at += blank_length(text.substr(at));
    if (at == text.size()) return wait_or_give_up(pieces, more);
  }
  if (name.empty() || text[at] != '{' || at > limits::tool_head_bytes_max) return wait_or_give_up(pieces, input::ended);
  pieces.push_back({.what = kind::tool_begin, .text = std::string(name), .tool_index = calls_++});
  text_.drop(text_.inside_at() + at);
  scanner_ = value_scanner{};
  where_ = place::value;
  return true;
}

bool mistral_parser::read_value(std::vector<answer_piece>& pieces) {
  const auto text = text_.rest();
  auto step = value_scanner::progress::inside;
  std::size_t bytes = 0;
  while (bytes < text.size() && step == value_scanner::progress::inside) {
    step = scanner_.feed(text[bytes]);
    if (step != value_scanner::progress::broken) ++bytes;
  }
  append_piece(pieces, kind::tool_arguments, text.substr(0, bytes), calls_ - 1);
  text_.drop(bytes);
  return step == value_scanner::progress::inside ? false : end_calls();
}

bool mistral_parser::enter_element(std::size_t at) {
  read_ = at;
  call_ = json_call({.members = {.may_precede = "id"}});
  where_ = place::element;
  return true;
}

bool mistral_parser::read_element(std::vector<answer_piece>& pieces, input more) {
  using progress = hermes_call::progress;
  const auto [bytes, how] = call_.read(text_.rest().substr(read_), calls_, pieces);
  read_ += bytes;
  if (call_.begun()) {
    text_.drop(std::exchange(read_, 0));
    if (how == progress::broken) return end_calls();
    if (how == progress::closed) where_ = place::between;
    return how == progress::closed;
  }
  if (how == progress::inside && more == input::open && text_.rest().size() <= limits::tool_held_bytes_max) return false;
  if (!first_element_) return end_calls();
  return wait_or_give_up(pieces, input::ended);
}

bool mistral_parser::read_between(input more) {
  first_element_ = false;
  const auto text = text_.rest();
  auto at = blank_length(text);
  const bool goes_on = at < text.size() && text[at] == ',';
  if (at < text.size() && text[at] == ']' && at <= limits::tool_head_bytes_max) {
    text_.drop(at + 1);
    return end_calls();
  }
  if (goes_on) at += 1 + blank_length(text.substr(at + 1));
  const bool is_near = at <= limits::tool_head_bytes_max;
  if (at < text.size()) return goes_on && is_near && text[at] == '{' ? enter_element(at) : end_calls();
  if (is_near && more == input::open) return false;
  if (is_near) text_.drop(at);  // what parts calls belongs to them
  return end_calls();
}

bool mistral_parser::end_calls() {
  text_.end_call();
  where_ = place::text;
  return true;
}

}  // namespace troupe::text
