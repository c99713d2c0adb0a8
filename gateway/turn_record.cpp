#include "gateway/turn_record.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::gateway {
namespace {

// A piece is what is given up at once. 64 KiB: some hundred frames.
constexpr std::size_t piece_bytes_max = 64 << 10;
// Beside a frame's bytes: where it ends.
constexpr std::size_t frame_overhead_bytes = sizeof(std::uint32_t);

}  // namespace

turn_record::turn_record(std::size_t bytes_max) : bytes_max_(bytes_max), piece_bytes_(std::min(piece_bytes_max, bytes_max / 8 + 1)) {}

void turn_record::begin(http_response head) { head_ = std::make_shared<const http_response>(std::move(head)); }

void turn_record::append(std::string_view frames) {
  while (!frames.empty()) {
    const auto end = frames.find("\n\n");
    const auto frame = frames.substr(0, end == frames.npos ? end : end + 2);
    if (!frame.starts_with(':')) append_frame(frame);
    frames.remove_prefix(frame.size());
  }
  trim(bytes_max_);
}

void turn_record::append_frame(std::string_view frame) {
  ++frames_;
  if (pieces_.empty() || pieces_.back().bytes.size() >= piece_bytes_) pieces_.push_back({frames_, {}, {}});
  auto& last = pieces_.back();
  const auto before = last.bytes.size();
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), frames_);
  last.bytes.append("id: ").append(digits.data(), end).append("\n").append(frame);
  last.ends.push_back(static_cast<std::uint32_t>(last.bytes.size()));
  bytes_ += last.bytes.size() - before + frame_overhead_bytes;
}

void turn_record::end(ending how) {
  is_over_ = true;
  how_ = how;
}

void turn_record::finish(http_response whole) {
  is_whole_ = true;
  bytes_ = whole.body.size();
  head_ = std::make_shared<const http_response>(std::move(whole));
}

void turn_record::trim(std::size_t bytes) {
  while (bytes_ > bytes && pieces_.size() > 1) {
    bytes_ -= pieces_.front().bytes.size() + pieces_.front().ends.size() * frame_overhead_bytes;
    pieces_.pop_front();
  }
}

void turn_record::discard() {
  pieces_.clear();
  bytes_ = 0;
  is_discarded_ = true;
  if (is_whole_) head_ = nullptr;
}

turn_record::progress turn_record::read(std::uint64_t& next, std::size_t bytes_max, std::string& out) const {
  if (is_whole_) return is_discarded_ ? progress::lost : progress::whole;
  if (!head_) return progress::waiting;
  if (next < (pieces_.empty() ? frames_ + 1 : pieces_.front().first)) return progress::lost;
  auto at =
      std::upper_bound(pieces_.begin(), pieces_.end(), next, [](std::uint64_t frame, const piece& each) { return frame < each.first; });
  if (at != pieces_.begin()) --at;
  for (; at != pieces_.end() && next <= frames_ && out.size() < bytes_max; ++at) {
    const auto skipped = next - at->first;
    const std::size_t begin = skipped == 0 ? 0 : at->ends[skipped - 1];
    // The first frame that reaches the limit is the last one taken.
    const auto limit = begin + (bytes_max - out.size());
    auto last = std::lower_bound(at->ends.begin() + static_cast<std::ptrdiff_t>(skipped), at->ends.end(), limit);
    if (last == at->ends.end()) --last;
    out.append(at->bytes, begin, *last - begin);
    next = at->first + static_cast<std::uint64_t>(last - at->ends.begin()) + 1;
  }
  if (next <= frames_ || !is_over_) return progress::streaming;
  return how_ == ending::failed ? progress::failed : progress::ended;
}

}  // namespace troupe::gateway
