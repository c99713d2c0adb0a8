#include "engine/text/reasoning_parser.hpp"

#include <algorithm>
#include <utility>

#include "engine/text/answer_pieces.hpp"

namespace troupe::text {

using kind = answer_piece::kind;

reasoning_parser::reasoning_parser(bool begins_in_reasoning, reasoning_format format)
    : markers_(markers_of(format)), where_(begins_in_reasoning ? place::reasoning_start : place::start), may_open_(true) {}

void reasoning_parser::push(std::string_view text, std::vector<answer_piece>& pieces) {
  held_ += text;
  while (step(pieces, false)) {
  }
}

void reasoning_parser::finish(std::vector<answer_piece>& pieces) {
  while (step(pieces, true)) {
  }
}

/// Decides as much as it can; true when the place changed and there may be more to decide.
bool reasoning_parser::step(std::vector<answer_piece>& pieces, bool ended) {
  switch (where_) {
    case place::start:
      return open(ended);
    case place::reasoning_start:
    case place::after_close:
      return leave_newlines(ended);
    case place::reasoning:
      return close(pieces, ended);
    case place::text:
      break;
  }
  append_piece(pieces, kind::text, std::exchange(held_, {}));
  return false;
}

/// As find_first_not_of. What was found blank once is not looked at again: a model may write nothing else.
std::size_t reasoning_parser::first_not_of(std::string_view blanks) {
  const auto begin = held_.find_first_not_of(blanks, blank_);
  blank_ = std::min(begin, held_.size());
  return begin;
}

bool reasoning_parser::open(bool ended) {
  const auto begin = first_not_of(" \t\r\n");
  const auto rest = begin == std::string::npos ? std::string_view{} : std::string_view(held_).substr(begin);
  if (!ended && rest.size() < markers_.open.size() && markers_.open.starts_with(rest)) return false;
  may_open_ = false;
  blank_ = 0;
  if (rest.starts_with(markers_.open)) {
    held_.erase(0, begin + markers_.open.size());
    where_ = place::reasoning_start;
  } else {
    where_ = place::text;
  }
  return true;
}

bool reasoning_parser::leave_newlines(bool ended) {
  const auto begin = first_not_of("\n");
  const auto rest = begin == std::string::npos ? std::string_view{} : std::string_view(held_).substr(begin);
  if (where_ == place::reasoning_start && may_open_) {
    // The prompt opened the reasoning, and some models open it again.
    if (!ended && rest.size() < markers_.open.size() && markers_.open.starts_with(rest)) return false;
    may_open_ = false;
    if (rest.starts_with(markers_.open)) {
      held_.erase(0, begin + markers_.open.size());
      blank_ = 0;
      return true;
    }
  }
  blank_ = 0;
  if (rest.empty()) {
    held_.clear();
    return false;
  }
  held_.erase(0, begin);
  where_ = where_ == place::after_close ? place::text : place::reasoning;
  return true;
}

bool reasoning_parser::close(std::vector<answer_piece>& pieces, bool ended) {
  const auto at = held_.find(markers_.close, blank_);
  if (at != std::string::npos) {
    const auto last = std::string_view(held_).substr(0, at).find_last_not_of('\n');
    append_piece(pieces, kind::reasoning, std::string_view(held_).substr(0, last == std::string::npos ? 0 : last + 1));
    held_.erase(0, at + markers_.close.size());
    blank_ = 0;
    where_ = place::after_close;
    return true;
  }
  // Newlines wait too: they may stand before the marker. The first blank_ bytes are such.
  const auto marker = held_.size() - (ended ? 0 : suffix_that_begins(held_, markers_.close));
  auto certain = marker;
  while (!ended && certain > blank_ && held_[certain - 1] == '\n') --certain;
  if (!ended && certain == blank_) certain = 0;
  append_piece(pieces, kind::reasoning, std::string_view(held_).substr(0, certain));
  held_.erase(0, certain);
  blank_ = marker - certain;
  return false;
}

}  // namespace troupe::text
