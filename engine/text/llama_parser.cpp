#include "engine/text/llama_parser.hpp"

#include <algorithm>
#include <utility>

#include "engine/text/answer_pieces.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

constexpr std::string_view tag = "<|python_tag|>";
constexpr call_members members{
    .arguments = "parameters", .also_arguments = "arguments", .may_precede = "type", .name_then_arguments = true};

}  // namespace

std::vector<std::string> llama_parser::markers() const { return {std::string(tag)}; }

void llama_parser::push(std::string_view text, std::vector<answer_piece>& pieces) {
  held_ += text;
  while (step(pieces, input::open)) {
  }
}

void llama_parser::finish(std::vector<answer_piece>& pieces) {
  while (step(pieces, input::ended)) {
  }
}

/// Decides as much as it can; true when the place changed and there may be more to decide.
bool llama_parser::step(std::vector<answer_piece>& pieces, input more) {
  switch (where_) {
    case place::lead:
      return read_lead(more);
    case place::call:
      return read_call(pieces, more);
    case place::text:
      break;
  }
  append_piece(pieces, answer_piece::kind::text, std::exchange(held_, {}));
  return false;
}

bool llama_parser::read_lead(input more) {
  const std::string_view text = held_;
  const auto skip = [&](std::size_t from) {
    return std::min(text.find_first_not_of(calls_ > 0 ? " \t\r\n;" : " \t\r\n", from), text.size());
  };
  auto at = skip(0);
  if (at == text.size() && more == input::ended && calls_ > 0) {
    held_.clear();  // what parts calls belongs to them
    return false;
  }
  const auto tagged = begins_with(text.substr(at), tag);
  if (tagged == match::yes) at = skip(at + tag.size());
  const bool is_open = more == input::open && at <= limits::tool_head_bytes_max;
  if (is_open && (at == text.size() || tagged == match::partial)) return false;
  if (at == text.size() || text[at] != '{' || at > limits::tool_head_bytes_max) return end_calls();
  where_ = place::call;
  read_ = at;
  call_ = json_call({.members = members, .needs_arguments = tagged != match::yes});
  return true;
}

bool llama_parser::read_call(std::vector<answer_piece>& pieces, input more) {
  using progress = hermes_call::progress;
  const auto [bytes, how] = call_.read(std::string_view(held_).substr(read_), calls_, pieces);
  read_ += bytes;
  if (call_.begun()) held_.erase(0, std::exchange(read_, 0));
  if (how == progress::closed && call_.begun()) {
    where_ = place::lead;
    return true;
  }
  const bool is_held = !call_.begun() && (more == input::ended || held_.size() > limits::tool_held_bytes_max);
  return how != progress::inside || is_held ? end_calls() : false;
}

bool llama_parser::end_calls() {
  where_ = place::text;
  return true;
}

}  // namespace troupe::text
