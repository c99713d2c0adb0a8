// Messages as Cap'n Proto bytes: what leaves the process, and what the journal stores.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "messages/types.hpp"

namespace troupe {

#define TROUPE_DECLARE_WIRE(type)                    \
  std::vector<std::byte> to_wire(const type& value); \
  bool from_wire(std::span<const std::byte> bytes, type& value);
/// to_wire never fails. from_wire is false for bytes that are truncated, oversized or not of this schema; `value` is then unspecified.
TROUPE_MESSAGE_TYPES(TROUPE_DECLARE_WIRE)
#undef TROUPE_DECLARE_WIRE

}  // namespace troupe
