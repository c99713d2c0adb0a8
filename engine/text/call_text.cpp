#include "engine/text/call_text.hpp"

#include <algorithm>

#include "engine/text/answer_pieces.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {

match begins_with(std::string_view text, std::string_view literal) noexcept {
  if (text.starts_with(literal)) return match::yes;
  return literal.starts_with(text) ? match::partial : match::no;
}

std::size_t blank_length(std::string_view text) noexcept { return std::min(text.find_first_not_of(" \t\r\n"), text.size()); }

void call_text::compact() {
  held_.erase(0, read_);
  read_ = 0;
}

/// One pass for all markers, so that a text full of one of them is not searched for the other again and again.
std::size_t call_text::next_marker(std::string_view text) {
  for (auto at = text.find(markers_[0].front()); at != std::string_view::npos; at = text.find(markers_[0].front(), at + 1))
    for (found_ = 0; found_ < markers_.size(); ++found_)
      if (text.substr(at).starts_with(markers_[found_])) return at;
  return std::string_view::npos;
}

bool call_text::find_marker(std::vector<answer_piece>& pieces, input more) {
  const auto text = rest();
  const auto at = next_marker(text);
  const bool found = at != std::string_view::npos;
  std::size_t certain = found ? at : text.size();
  if (!found && more == input::open) {
    std::size_t kept = 0;  // the end of the text that may begin a marker
    for (const auto marker : markers_) kept = std::max(kept, suffix_that_begins(text, marker));
    certain -= kept;
  }
  if (after_call_ && certain <= limits::tool_head_bytes_max && blank_length(text.substr(0, certain)) == certain) {
    if (!found && more == input::ended) drop(certain);
    certain = 0;
  } else if (certain > 0 && text[certain - 1] == '\n' && (found || more == input::open)) {
    --certain;  // one newline before a marker belongs to the marker, as templates write it
  }
  release(certain, pieces);
  if (found) inside_ = at - certain + marker().size();
  return found;
}

void call_text::give_up(std::vector<answer_piece>& pieces) { release(inside_ - marker().size() + 1, pieces); }

void call_text::release(std::size_t bytes, std::vector<answer_piece>& pieces) {
  if (bytes == 0) return;
  append_piece(pieces, answer_piece::kind::text, rest().substr(0, bytes));
  drop(bytes);
  after_call_ = false;
}

}  // namespace troupe::text
