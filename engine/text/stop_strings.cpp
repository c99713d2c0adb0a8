#include "engine/text/stop_strings.hpp"

#include <algorithm>
#include <utility>

namespace troupe::text {

stop_strings::stop_strings(const std::vector<std::string>& stops) {
  for (const auto& stop : stops) {
    if (stop.empty()) continue;
    pattern made{.text = stop, .failure = std::vector<std::size_t>(stop.size(), 0)};
    for (std::size_t at = 1, length = 0; at < stop.size(); ++at) {
      while (length > 0 && stop[at] != stop[length]) length = made.failure[length - 1];
      if (stop[at] == stop[length]) ++length;
      made.failure[at] = length;
    }
    patterns_.push_back(std::move(made));
  }
}

void stop_strings::pattern::advance(char byte) {
  while (length > 0 && text[length] != byte) length = failure[length - 1];
  if (text[length] == byte) ++length;
}

bool stop_strings::push(std::string_view text, std::string& out) {
  if (!matched_.empty()) return false;
  for (const char byte : text) {
    held_ += byte;
    const pattern* complete = nullptr;
    for (auto& one : patterns_) {
      one.advance(byte);
      if (one.length == one.text.size() && (complete == nullptr || one.text.size() > complete->text.size())) complete = &one;
    }
    if (complete == nullptr) continue;
    matched_ = complete->text;
    out.append(held_, 0, held_.size() - matched_.size());
    held_.clear();
    return false;
  }
  std::size_t kept = 0;
  for (const auto& one : patterns_) kept = std::max(kept, one.length);
  out.append(held_, 0, held_.size() - kept);
  held_.erase(0, held_.size() - kept);
  return true;
}

void stop_strings::finish(std::string& out) {
  if (matched_.empty()) out += held_;
  held_.clear();
}

}  // namespace troupe::text
