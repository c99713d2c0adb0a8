// Blocks and payloads that follow from a number, folders that vanish, and a disk store that is driven until it is still.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/aligned_buffer.hpp"
#include "engine/store/disk_store.hpp"
#include "test/support/files.hpp"

namespace troupe::store {

inline doctest::String toString(store_result result) { return {name_of(result).data(), static_cast<unsigned>(name_of(result).size())}; }

}  // namespace troupe::store

namespace troupe::store::test {

using troupe::test::content_of;
using troupe::test::temporary_folder;
using troupe::test::write_file;

constexpr std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
  return x ^ x >> 31;
}

inline const scope_id sample_scope = scope_of(7);
inline constexpr layout_id sample_layout{11};

/// Block `number` of a chain: its parent is block number - 1.
inline stored_block sample_block(std::uint64_t number) {
  const auto hash_of = [](std::uint64_t n) { return block_hash{mixed(2 * n) | 1, mixed(2 * n + 1)}; };
  stored_block block;
  block.block = {hash_of(number), mixed(number ^ 0x5555)};
  block.parent = hash_of(number - 1);
  block.layout = sample_layout;
  block.scope = sample_scope;
  for (std::uint64_t i = 0; i < 32; ++i) block.tokens.push_back(static_cast<token_id>(mixed(number * 32 + i) % 150'000));
  block.retention = {static_cast<std::uint8_t>(number % 9), static_cast<std::uint8_t>(number % 50), 0};
  return block;
}

inline void fill_payload(std::uint64_t number, std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = mixed(number * 1'000'003 + at);
    std::memcpy(bytes.data() + at, &word, std::min<std::size_t>(8, bytes.size() - at));
  }
}

inline std::vector<std::byte> sample_payload(std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> payload(bytes);
  fill_payload(number, payload);
  return payload;
}

inline std::unique_ptr<disk_store> open_good(const disk_store_options& options, unix_ms now = 0, std::unique_ptr<block_io> io = {}) {
  auto opened = disk_store::open(options, now, std::move(io));
  if (!opened) FAIL(opened.error().message);
  return std::move(*opened);
}

/// Waits until nothing is in flight; completions by ticket. A bound on the waits stands for a deadline.
inline std::map<std::uint64_t, store_completion> settle(disk_store& store, unix_ms now = 0) {
  std::vector<store_completion> completions;
  for (int waits = 0; waits < 1000; ++waits) {
    store.wait(now, std::chrono::milliseconds(20), completions);
    if (store.counts().in_flight == 0) break;
  }
  CHECK(store.counts().in_flight == 0);
  std::map<std::uint64_t, store_completion> by_ticket;
  for (const auto& each : completions) CHECK(by_ticket.emplace(each.ticket.value, each).second);
  return by_ticket;
}

/// What a call came to, its completion awaited.
inline store_result put_now(disk_store& store, const stored_block& block, std::span<const std::byte> payload, unix_ms now = 0) {
  const auto begun = store.put(now, block, payload, {1});
  return begun == store_result::pending ? settle(store, now).at(1).result : begun;
}
inline store_result put_sample(disk_store& store, std::uint64_t number, std::size_t bytes, unix_ms now = 0) {
  return put_now(store, sample_block(number), sample_payload(number, bytes), now);
}

/// Loads block `number` and compares the bytes; the result of the get.
inline store_result get_sample(disk_store& store, std::uint64_t number, std::size_t bytes, unix_ms now = 0) {
  std::vector<std::byte> destination(bytes);
  auto result = store.get(now, sample_block(number), destination, {2});
  if (result == store_result::pending) result = settle(store, now).at(2).result;
  if (result == store_result::loaded && destination != sample_payload(number, bytes))
    FAIL_CHECK("block " << number << " came back with other bytes");
  return result;
}

inline disk_store_options small_options(const std::filesystem::path& folder) {
  disk_store_options options;
  options.folder = folder;
  options.segment_bytes = 256 << 10;
  options.budget_bytes = 16 * options.segment_bytes;
  return options;
}

inline void check_sound(const disk_store& store) {
  const auto broken = store.check_integrity();
  CHECK_MESSAGE(!broken, broken.value_or(""));
}

}  // namespace troupe::store::test
