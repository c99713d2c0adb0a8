// Reading a segment that was not sealed. Internal to segment_file.cpp.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <span>

#include "engine/store/segment_file.hpp"

namespace troupe::store {

/// Closes on every way out.
struct open_file {
  int descriptor = -1;
  ~open_file() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

/// Whether `page` is the trailer of this segment.
bool is_trailer(std::span<const std::byte> page, std::uint64_t id);

/// Fills entries, end, other_key and damaged, looking at every page and at every payload. False with errno set.
bool scan_segment(int descriptor, std::uint64_t id, std::uint64_t key_id, segment_content& content);

}  // namespace troupe::store
