#include "engine/text/json_call.hpp"

#include "engine/text/answer_pieces.hpp"

namespace troupe::text {

json_call::result json_call::read(std::string_view text, std::uint32_t& calls, std::vector<answer_piece>& pieces) {
  using kind = answer_piece::kind;
  using progress = hermes_call::progress;
  result made;
  while (made.bytes < text.size() && made.how == progress::inside) {
    made.how = call_.feed(text[made.bytes]);
    if (made.how != progress::broken) ++made.bytes;
    const bool is_whole = made.how == progress::closed && !needs_arguments_;
    if (begun_ || made.how == progress::broken || !call_.has_name() || !(call_.has_arguments() || is_whole)) continue;
    begun_ = true;
    pieces.push_back({.what = kind::tool_begin, .text = call_.name(), .tool_index = calls++});
  }
  if (!begun_) return made;
  append_piece(pieces, kind::tool_arguments, call_.take_arguments(), calls - 1);
  if (made.how == progress::closed && !call_.has_arguments()) append_piece(pieces, kind::tool_arguments, "{}", calls - 1);
  return made;
}

}  // namespace troupe::text
