#include "engine/store/segment_scan.hpp"

#include <algorithm>
#include <optional>

#include "engine/store/file_io.hpp"

namespace troupe::store {
namespace {

class scanner {
 public:
  scanner(int descriptor, std::uint64_t id, std::uint64_t key_id, segment_content& content)
      : descriptor_(descriptor), id_(id), key_id_(key_id), content_(content) {}

  bool run() {
    std::uint64_t offset = page_bytes;
    content_.end = offset;
    while (offset + page_bytes <= content_.bytes) {
      const auto next = look_at(offset);
      if (failed_) return false;
      if (next == 0) break;
      offset = next;
    }
    end_stretch();
    return true;
  }

 private:
  /// The offset to look at next; 0 at a trailer.
  std::uint64_t look_at(std::uint64_t offset) {
    const auto page = first_page_.bytes();
    if (!read(offset, page)) return 0;
    if (is_trailer(page, id_)) {  // killed between the trailer and the cut: the stretch before it was the footer
      in_stretch_ = false;
      return 0;
    }
    const auto length = front_length(page);
    const auto end = length ? offset + whole_pages(*length) : 0;
    if (!length || end > content_.bytes) return skip(offset, page);
    if (front_.size() < *length) front_ = aligned_buffer(*length);
    const auto front_bytes = front_.bytes().first(*length);
    if (!read(offset, front_bytes)) return 0;
    const auto front = read_front(front_bytes, place_in(id_, offset));
    if (!front) return skip(offset, page);
    end_stretch();
    return take(offset, front_bytes, *front);
  }

  std::uint64_t take(std::uint64_t offset, std::span<const std::byte> front_bytes, const record_front& front) {
    const auto payload_at = offset + whole_pages(front_bytes.size());
    const auto next = payload_at + whole_pages(front.payload_bytes);
    if (payload_.size() < front.payload_bytes) payload_ = aligned_buffer(front.payload_bytes);
    const auto payload = payload_.bytes().first(front.payload_bytes);
    const auto count = read_at(descriptor_, payload_at, payload);
    if (count < 0) failed_ = true;
    const bool is_whole = count == static_cast<std::int64_t>(payload.size()) && next <= content_.bytes;
    if (!is_whole || !is_payload_intact(front_bytes, payload)) {
      ++content_.damaged;
      return is_whole ? next : content_.bytes;  // nothing follows a record that the file's end cuts
    }
    content_.end = next;
    if (front.key_id != key_id_) {
      ++content_.other_key;
      return next;
    }
    const auto& block = front.block;
    const auto check = front.key_id == 0 ? identity_check(block) : 0;  // encrypted tokens are compared when the block is loaded
    content_.entries.push_back({block.block, block.parent, block.layout, block.scope, block.retention, check, id_, offset,
                                static_cast<std::uint32_t>(front_bytes.size()), static_cast<std::uint32_t>(front.payload_bytes)});
    return next;
  }

  std::uint64_t skip(std::uint64_t offset, std::span<const std::byte> page) {
    const bool is_zero = std::all_of(page.begin(), page.end(), [](std::byte each) { return each == std::byte{0}; });
    if (is_zero)
      end_stretch();
    else
      in_stretch_ = true;
    return offset + page_bytes;
  }
  void end_stretch() {
    content_.damaged += in_stretch_;
    in_stretch_ = false;
  }
  bool read(std::uint64_t offset, std::span<std::byte> bytes) {
    const auto count = read_at(descriptor_, offset, bytes);
    failed_ = failed_ || count < 0;
    return count == static_cast<std::int64_t>(bytes.size());
  }

  int descriptor_;
  std::uint64_t id_, key_id_;
  segment_content& content_;
  aligned_buffer first_page_{page_bytes}, front_, payload_;
  bool in_stretch_ = false, failed_ = false;
};

}  // namespace

bool scan_segment(int descriptor, std::uint64_t id, std::uint64_t key_id, segment_content& content) {
  return scanner(descriptor, id, key_id, content).run();
}

}  // namespace troupe::store
