#include <cstring>
#include <unordered_map>

#include "cuda/block_copy.hpp"

namespace troupe::cuda {

std::vector<std::size_t> independent_groups(const std::vector<block_pair>& pairs) {
  enum use : unsigned { read = 1, written = 2 };
  std::vector<std::size_t> ends;
  std::unordered_map<std::uint32_t, unsigned> uses;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto from = uses.find(pairs[i].from);
    const bool reads_new = from != uses.end() && (from->second & written) != 0;
    if (reads_new || uses.count(pairs[i].to) != 0) {
      ends.push_back(i);
      uses.clear();
    }
    uses[pairs[i].from] |= read;
    uses[pairs[i].to] |= written;
  }
  if (!pairs.empty()) ends.push_back(pairs.size());
  return ends;
}

bool copy_blocks_cpu(block_pool_view pool, const std::vector<block_pair>& pairs) {
  for (const auto& pair : pairs)
    if (pair.from >= pool.block_count || pair.to >= pool.block_count) return false;
  for (const auto& pair : pairs)
    if (pair.from != pair.to) std::memcpy(pool.base + pair.to * pool.block_bytes, pool.base + pair.from * pool.block_bytes, pool.block_bytes);
  return true;
}

}  // namespace troupe::cuda
