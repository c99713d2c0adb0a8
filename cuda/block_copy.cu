#include <cuda_runtime.h>

#include <algorithm>

#include "cuda/block_copy.hpp"

namespace troupe::cuda {
namespace {

// 256: eight warps hide the latency of one 16-byte load per thread; a block of KV is at least tens of KiB.
constexpr int threads = 256;
// Up to this many thread blocks share one KV block, so that a short list of large blocks still fills the device.
constexpr unsigned parts_max = 32;

// Pairs travel as a kernel parameter, which is copied at launch, so no host memory has to outlive the call. 448 pairs are 3,584 bytes:
// below the 4 KiB that every device takes.
constexpr std::size_t chunk_pairs_max = 448;
struct pair_chunk {
  block_pair at[chunk_pairs_max];
};

// pool[to] = pool[from] for each pair; gridDim.y thread blocks share one pair. Every byte is read once and written once, 16 at a time.
__global__ void copy_pairs(uint4* pool, pair_chunk pairs, std::size_t words) {
  const block_pair pair = pairs.at[blockIdx.x];
  const uint4* from = pool + pair.from * words;
  uint4* to = pool + pair.to * words;
  const std::size_t stride = static_cast<std::size_t>(gridDim.y) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.y) * blockDim.x + threadIdx.x; i < words; i += stride) to[i] = from[i];
}

void launch(block_pool_view pool, const block_pair* pairs, std::size_t count, cudaStream_t stream) {
  const std::size_t words = pool.block_bytes / sizeof(uint4);
  const std::size_t wanted = (words + threads - 1) / threads;
  const unsigned parts = wanted < parts_max ? static_cast<unsigned>(wanted) : parts_max;
  for (std::size_t begin = 0; begin < count; begin += chunk_pairs_max) {
    pair_chunk chunk{};
    const std::size_t size = std::min(chunk_pairs_max, count - begin);
    std::copy_n(pairs + begin, size, chunk.at);
    copy_pairs<<<dim3(static_cast<unsigned>(size), parts), threads, 0, stream>>>(reinterpret_cast<uint4*>(pool.base), chunk, words);
  }
}

}  // namespace

const char* copy_blocks(block_pool_view pool, const std::vector<block_pair>& pairs, void* stream) {
  if (pool.block_bytes == 0 || pool.block_bytes % sizeof(uint4) != 0) return "block size is not a multiple of 16 bytes";
  for (const auto& pair : pairs)
    if (pair.from >= pool.block_count || pair.to >= pool.block_count) return "block index out of range";
  std::size_t begin = 0;
  for (const std::size_t end : independent_groups(pairs)) {
    launch(pool, pairs.data() + begin, end - begin, static_cast<cudaStream_t>(stream));
    begin = end;
  }
  const auto launched = cudaGetLastError();
  return launched == cudaSuccess ? nullptr : cudaGetErrorString(launched);
}

}  // namespace troupe::cuda
