#include <cuda_runtime.h>

#include "cuda/block_copy.hpp"

namespace troupe::cuda {
namespace {

// 256: eight warps hide the latency of one 16-byte load per thread; a block of KV is at least tens of KiB.
constexpr int threads = 256;
// Up to this many thread blocks share one KV block, so that a short list of large blocks still fills the device.
constexpr unsigned parts_max = 32;

// pool[to] = pool[from] for each pair; gridDim.y thread blocks share one pair. Every byte is read once and written once, 16 at a time.
__global__ void copy_pairs(uint4* pool, const block_pair* pairs, std::size_t words) {
  const block_pair pair = pairs[blockIdx.x];
  const uint4* from = pool + pair.from * words;
  uint4* to = pool + pair.to * words;
  const std::size_t stride = static_cast<std::size_t>(gridDim.y) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.y) * blockDim.x + threadIdx.x; i < words; i += stride) to[i] = from[i];
}

}  // namespace

const char* copy_blocks(block_pool_view pool, const std::vector<block_pair>& pairs, block_pair* scratch, void* stream) {
  for (const auto& pair : pairs)
    if (pair.from >= pool.block_count || pair.to >= pool.block_count) return "block index out of range";
  if (pairs.empty()) return nullptr;
  auto* queue = static_cast<cudaStream_t>(stream);
  // Pageable source: the runtime has staged the bytes when this returns, so `pairs` may go out of scope.
  const auto copied = cudaMemcpyAsync(scratch, pairs.data(), pairs.size() * sizeof(block_pair), cudaMemcpyHostToDevice, queue);
  if (copied != cudaSuccess) return cudaGetErrorString(copied);
  const std::size_t words = pool.block_bytes / sizeof(uint4);
  const std::size_t wanted = (words + threads - 1) / threads;
  const unsigned parts = wanted < parts_max ? static_cast<unsigned>(wanted) : parts_max;
  std::size_t begin = 0;
  for (const std::size_t end : independent_groups(pairs)) {
    const dim3 grid(static_cast<unsigned>(end - begin), parts);
    copy_pairs<<<grid, threads, 0, queue>>>(reinterpret_cast<uint4*>(pool.base), scratch + begin, words);
    begin = end;
  }
  const auto launched = cudaGetLastError();
  return launched == cudaSuccess ? nullptr : cudaGetErrorString(launched);
}

}  // namespace troupe::cuda
