// How matrices lie in memory: in panels of 64 outputs, [n / 64][k][64], so that a product walks each panel once from end to end,
// its accumulators are outputs side by side, and the sum over k runs in its natural order in every kernel. The last panel is
// padded with zeros. In bf16 each 32 outputs of a panel are interleaved: 2i holds output i, 2i + 1 output 16 + i, so that a shift
// and a mask widen a register to two without moving a lane.
#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::core {

inline constexpr std::uint32_t panel_width = 64;

constexpr std::uint64_t panels_of(std::uint64_t rows) noexcept { return (rows + panel_width - 1) / panel_width; }

/// Elements of a packed matrix, padding included.
constexpr std::uint64_t packed_elements(std::uint64_t rows, std::uint64_t columns) noexcept {
  return panels_of(rows) * panel_width * columns;
}

/// Where output `row` lies within each [64] of its panel.
constexpr std::uint32_t lane_f32(std::uint64_t row) noexcept { return static_cast<std::uint32_t>(row % panel_width); }
constexpr std::uint32_t lane_bf16(std::uint64_t row) noexcept {
  const auto lane = lane_f32(row);
  return lane / 32 * 32 + lane % 16 * 2 + lane % 32 / 16;
}

}  // namespace troupe::core
