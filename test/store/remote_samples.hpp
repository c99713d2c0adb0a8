// Sample blocks in and out of a remote store, and what Redis would hold for them.
#pragma once

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "engine/store/block_record.hpp"
#include "engine/store/remote_store.hpp"
#include "messages/base/limits.hpp"
#include "test/store/redis_servers.hpp"

namespace troupe::store::test {

using std::chrono::steady_clock;

inline constexpr std::size_t block_bytes = 20'000;

inline remote_store_options options_for(const std::string& socket) {
  remote_store_options options;
  options.address.unix_path = socket;
  options.call_wait_ms = 5000;  // a loaded machine is no fault; tests of deadlines set their own
  return options;
}

/// The seconds that `call` took.
inline double seconds_of(const std::function<void()>& call) {
  const auto begin = steady_clock::now();
  call();
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

inline std::vector<store_result> put_samples(remote_store& store, std::uint64_t from, std::uint64_t count, unix_ms now = 0,
                                      std::size_t bytes = block_bytes) {
  std::vector<stored_block> blocks;
  std::vector<std::vector<std::byte>> payloads;
  for (auto number = from; number < from + count; ++number) {
    blocks.push_back(sample_block(number));
    payloads.push_back(sample_payload(number, bytes));
  }
  std::vector<remote_put> puts;
  for (std::size_t i = 0; i < blocks.size(); ++i) puts.push_back({&blocks[i], payloads[i]});
  return store.put(now, puts);
}

/// Loads and compares; the results.
inline std::vector<store_result> get_samples(remote_store& store, std::uint64_t from, std::uint64_t count, unix_ms now = 0,
                                      std::size_t bytes = block_bytes) {
  std::vector<stored_block> wanted;
  std::vector<std::vector<std::byte>> memory(count, std::vector<std::byte>(bytes));
  for (auto number = from; number < from + count; ++number) wanted.push_back(sample_block(number));
  std::vector<remote_get> gets;
  for (std::size_t i = 0; i < wanted.size(); ++i) gets.push_back({&wanted[i], memory[i]});
  std::vector<store_result> results;
  for (const auto& loaded : store.get(now, gets)) {
    const auto i = results.size();
    if (loaded.result == store_result::loaded) {
      CHECK(memory[i] == sample_payload(from + i, bytes));
      CHECK(loaded.retention == wanted[i].retention);
    }
    results.push_back(loaded.result);
  }
  return results;
}

inline store_result get_sample(remote_store& store, std::uint64_t number, unix_ms now = 0) { return get_samples(store, number, 1, now)[0]; }

inline std::vector<store_result> all(std::size_t count, store_result result) { return std::vector<store_result>(count, result); }

inline block_key key_of(std::uint64_t number) {
  const auto block = sample_block(number);
  return {block.block.hash, block.layout, block.scope};
}

inline std::string bulk(const std::string& text) {
  return std::string("$").append(std::to_string(text.size())).append("\r\n").append(text).append("\r\n");
}

/// What Redis would hold for a block.
inline std::string value_of(std::uint64_t number, record_codec codec = record_codec()) {
  const auto payload = sample_payload(number, block_bytes);
  const auto front = codec.seal(sample_block(number), payload, {}, nowhere);
  std::string value(reinterpret_cast<const char*>(front.data()), front.size());
  return value.append(reinterpret_cast<const char*>(payload.data()), payload.size());
}

}  // namespace troupe::store::test
