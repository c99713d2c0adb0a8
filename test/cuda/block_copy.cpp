#include "cuda/block_copy.hpp"

#include <cuda_runtime_api.h>
#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "cuda/device.hpp"

using namespace troupe::cuda;

namespace {

std::vector<std::byte> random_bytes(std::size_t count, std::mt19937& rng) {
  std::vector<std::byte> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::byte>(rng());
  return bytes;
}

std::vector<block_pair> random_pairs(std::size_t count, std::uint32_t blocks, std::mt19937& rng) {
  std::vector<block_pair> pairs(count);
  for (auto& pair : pairs) pair = {static_cast<std::uint32_t>(rng() % blocks), static_cast<std::uint32_t>(rng() % blocks)};
  return pairs;
}

// Runs each group with all reads before all writes: the most parallel execution that a device may choose.
void copy_in_groups(block_pool_view pool, const std::vector<block_pair>& pairs) {
  std::size_t begin = 0;
  for (const auto end : independent_groups(pairs)) {
    std::vector<std::vector<std::byte>> read;
    for (auto i = begin; i < end; ++i) {
      const auto* from = pool.base + pairs[i].from * pool.block_bytes;
      read.emplace_back(from, from + pool.block_bytes);
    }
    for (auto i = end; i-- > begin;) std::memcpy(pool.base + pairs[i].to * pool.block_bytes, read[i - begin].data(), pool.block_bytes);
    begin = end;
  }
}

}  // namespace

TEST_CASE("pairs that touch what an earlier pair wrote start a new group") {
  CHECK(independent_groups({}).empty());
  CHECK(independent_groups({{0, 1}, {0, 2}, {3, 4}}) == std::vector<std::size_t>{3});
  CHECK(independent_groups({{0, 1}, {1, 2}}) == std::vector<std::size_t>{1, 2});          // reads what was written
  CHECK(independent_groups({{0, 1}, {2, 0}}) == std::vector<std::size_t>{1, 2});          // overwrites what is read
  CHECK(independent_groups({{0, 1}, {2, 1}, {3, 1}}) == std::vector<std::size_t>{1, 2, 3});  // the last writer wins
}

TEST_CASE("groups in any order inside give the bytes of one copy after the other") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 rng(seed);
    auto serial = random_bytes(12 * 48, rng);
    auto grouped = serial;
    const auto pairs = random_pairs(20, 12, rng);
    REQUIRE(copy_blocks_cpu({serial.data(), 12, 48}, pairs));
    copy_in_groups({grouped.data(), 12, 48}, pairs);
    CHECK(serial == grouped);
  }
}

TEST_CASE("an index out of range copies nothing") {
  std::mt19937 rng(7);
  auto bytes = random_bytes(4 * 16, rng);
  const auto before = bytes;
  CHECK_FALSE(copy_blocks_cpu({bytes.data(), 4, 16}, {{0, 1}, {0, 4}}));
  CHECK(bytes == before);
}

TEST_CASE("the kernel gives the bytes of its CPU twin") {
  std::string why;
  if (list_devices(why).empty()) {
    MESSAGE("skipped: " << why);
    return;
  }
  for (const std::size_t block_bytes : {16UL, 48UL, 4080UL, 65536UL, 1048592UL}) {
    CAPTURE(block_bytes);
    std::mt19937 rng(11);
    constexpr std::uint32_t blocks = 9;
    auto host = random_bytes(blocks * block_bytes, rng);
    const auto pairs = random_pairs(1000, blocks, rng);
    std::byte* device = nullptr;
    REQUIRE(cudaMalloc(reinterpret_cast<void**>(&device), host.size()) == cudaSuccess);
    REQUIRE(cudaMemcpy(device, host.data(), host.size(), cudaMemcpyHostToDevice) == cudaSuccess);
    CHECK(copy_blocks({device, blocks, block_bytes}, pairs, nullptr) == nullptr);
    std::vector<std::byte> result(host.size());
    REQUIRE(cudaMemcpy(result.data(), device, host.size(), cudaMemcpyDeviceToHost) == cudaSuccess);
    REQUIRE(copy_blocks_cpu({host.data(), blocks, block_bytes}, pairs));
    CHECK(result == host);
    cudaFree(device);
  }
}
