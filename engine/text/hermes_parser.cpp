#include "engine/text/hermes_parser.hpp"

#include <utility>

#include "engine/text/answer_pieces.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

using kind = answer_piece::kind;
constexpr std::string_view call_open = "<tool_call>";
constexpr std::string_view call_close = "</tool_call>";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::vector<std::string> hermes_parser::markers() const { return {std::string(call_open), std::string(call_close)}; }

void hermes_parser::push(std::string_view text, std::vector<answer_piece>& pieces) {
  while (!text.empty()) {
    switch (where_) {
      case place::text:
        text = read_text(text, pieces);
        break;
      case place::call:
        text = read_call(text, pieces);
        break;
      case place::tail:
        text = read_tail(text);
        break;
    }
  }
  if (where_ == place::call) flush_arguments(pieces);
}

std::string_view hermes_parser::read_text(std::string_view rest, std::vector<answer_piece>& pieces) {
  held_ += rest;
  const auto at = held_.find(call_open);
  const bool found = at != std::string::npos;
  std::size_t certain = found ? at : held_.size() - suffix_that_begins(held_, call_open);
  if (after_call_ && certain <= limits::tool_head_bytes_max && is_blank(std::string_view(held_).substr(0, certain))) {
    certain = 0;
  } else if (certain > 0 && held_[certain - 1] == '\n') {
    --certain;  // one newline before a marker belongs to the marker, as templates write it
  }
  if (certain > 0) {
    append_piece(pieces, kind::text, std::string_view(held_).substr(0, certain));
    after_call_ = false;
  }
  const std::size_t left = found ? held_.size() - at - call_open.size() : 0;
  held_.resize(held_.size() - left);
  held_.erase(0, certain);
  if (found) {
    where_ = place::call;
    call_ = hermes_call{};
    begun_ = false;
  }
  return rest.substr(rest.size() - left);
}

std::string_view hermes_parser::read_call(std::string_view rest, std::vector<answer_piece>& pieces) {
  for (std::size_t at = 0; at < rest.size(); ++at) {
    const auto step = call_.feed(rest[at]);
    const bool ended = step != hermes_call::progress::inside;
    if (!begun_ && step != hermes_call::progress::broken) {
      held_ += rest[at];
      if (call_.has_name() && (call_.has_arguments() || ended)) begin_call(pieces);
    }
    if (!begun_ && held_.size() >= limits::tool_held_bytes_max) {
      release(pieces);
      return rest.substr(step == hermes_call::progress::broken ? at : at + 1);
    }
    if (!ended) continue;
    if (!begun_) {
      release(pieces);
    } else {
      flush_arguments(pieces);
      if (!call_.has_arguments()) append_piece(pieces, kind::tool_arguments, "{}", calls_ - 1);
      where_ = place::tail;
    }
    return rest.substr(step == hermes_call::progress::broken ? at : at + 1);
  }
  return {};
}

/// Looks for the closing marker. Models write a brace too many; whatever else follows is text.
std::string_view hermes_parser::read_tail(std::string_view rest) {
  for (std::size_t at = 0; at < rest.size(); ++at) {
    const char byte = rest[at];
    if (held_.empty() && (is_blank({&byte, 1}) || byte == '}')) continue;
    if (byte != call_close[held_.size()]) {
      where_ = place::text;
      after_call_ = true;
      return rest.substr(at);
    }
    held_ += byte;
    if (held_ != call_close) continue;
    held_.clear();
    where_ = place::text;
    after_call_ = true;
    return rest.substr(at + 1);
  }
  return {};
}

void hermes_parser::begin_call(std::vector<answer_piece>& pieces) {
  held_.clear();
  begun_ = true;
  pieces.push_back({.what = kind::tool_begin, .text = call_.name(), .tool_index = calls_++});
}

void hermes_parser::flush_arguments(std::vector<answer_piece>& pieces) {
  if (begun_) append_piece(pieces, kind::tool_arguments, call_.take_arguments(), calls_ - 1);
}

void hermes_parser::release(std::vector<answer_piece>& pieces) {
  append_piece(pieces, kind::text, std::exchange(held_, {}));
  where_ = place::text;
  after_call_ = false;
}

void hermes_parser::finish(std::vector<answer_piece>& pieces) {
  if (where_ == place::call && !begun_ && call_.has_name()) begin_call(pieces);
  if (where_ == place::call && begun_) {
    flush_arguments(pieces);
  } else if (where_ != place::tail && !(after_call_ && is_blank(held_))) {
    release(pieces);
  }
  held_.clear();
  where_ = place::text;
}

}  // namespace troupe::text
