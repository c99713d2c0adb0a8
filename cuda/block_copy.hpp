// Copies whole KV blocks inside a pool: (from, to) pairs with the effect of copying one after the other. The kernel runs a group of
// independent pairs at once, so the list is cut where a pair touches what an earlier one of its group wrote or reads what it overwrites.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::cuda {

struct block_pair {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

/// A contiguous pool: block b starts at base + b * block_bytes. `block_bytes` is a multiple of 16, `base` 16-byte aligned.
struct block_pool_view {
  std::byte* base = nullptr;
  std::uint32_t block_count = 0;
  std::size_t block_bytes = 0;
};

/// Ends of the groups of `pairs` in which order does not matter, ascending; the last is pairs.size(). Empty for no pairs.
std::vector<std::size_t> independent_groups(const std::vector<block_pair>& pairs);

/// The CPU twin: the meaning of the kernel. False, and nothing copied, if an index is out of range.
bool copy_blocks_cpu(block_pool_view pool, const std::vector<block_pair>& pairs);

/// Enqueues on `stream` (a cudaStream_t) over a pool in device memory; `pairs` may go out of scope at once.
/// Returns nullptr, or what CUDA reported; with nothing enqueued if an index is out of range or block_bytes is no multiple of 16.
const char* copy_blocks(block_pool_view pool, const std::vector<block_pair>& pairs, void* stream);

}  // namespace troupe::cuda
