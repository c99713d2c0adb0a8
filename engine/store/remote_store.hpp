// Blocks in Redis, shared by the nodes that share key file and layout. Every call is a pipelined batch that blocks, connecting included,
// for at most `call_wait_ms`; one thread owns it. A Redis that is gone, slow or lying costs hits and is asked less and less often. What
// it returns is compared and checksummed like what a disk returns.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/store/block_cipher.hpp"
#include "engine/store/circuit_breaker.hpp"
#include "engine/store/redis_connection.hpp"
#include "engine/store/stored_block.hpp"
#include "engine/store/stored_pins.hpp"

namespace troupe::store {

struct remote_store_options {
  redis_address address;
  std::string key_prefix = "troupe:";
  std::int64_t call_wait_ms = 250;               ///< of real time, for a whole batch
  std::int64_t ttl_ms = 7 * 24 * 3600 * 1000LL;  ///< upper bound of every block's life, at least 1
  std::uint64_t window_bytes = 16 << 20;         ///< payload sent before its answers are awaited
  circuit_breaker_options breaker;
  std::shared_ptr<block_cipher> cipher;  ///< none: not encrypted
};

struct block_key {
  block_hash hash;
  layout_id layout;
  scope_id scope;
};

struct remote_put {
  const stored_block* block = nullptr;
  std::span<const std::byte> payload;
};

struct remote_get {
  const stored_block* wanted = nullptr;
  std::span<std::byte> destination;  ///< of exactly the payload's size
};

struct remote_loaded {
  store_result result = store_result::failed;  ///< loaded, missing, mismatched, corrupt, busy, unavailable, failed
  stored_retention retention;                  ///< when loaded
};

struct remote_store_counts {
  std::uint64_t stored = 0, loaded = 0, missing = 0, mismatched = 0, corrupt = 0, failed = 0, unavailable = 0;
  std::uint64_t connections = 0;                                     ///< made
  std::uint64_t faults_gone = 0, faults_late = 0, faults_lying = 0;  ///< of connecting or of a batch
  std::uint64_t extended = 0;                                        ///< keys that a pin gave a later end
  std::uint64_t error_replies = 0;                                   ///< Redis said no: out of memory, wrong type, loading
  std::uint64_t breaker_openings = 0;
  std::uint64_t bytes_sent = 0, bytes_loaded = 0;  ///< of records
};

class remote_store {
 public:
  /// Connects to nothing yet.
  explicit remote_store(const remote_store_options& options);
  ~remote_store();

  // Each result belongs to the request at its place. At most limits::remote_batch_max of a call are done, the rest is busy.

  /// Results: stored, expired, too_large, busy, unavailable, failed.
  std::vector<store_result> put(unix_ms now, std::span<const remote_put> blocks);
  /// A corrupt value is also removed.
  std::vector<remote_loaded> get(unix_ms now, std::span<const remote_get> blocks);
  /// False also when it could not be asked.
  std::vector<bool> exists(unix_ms now, std::span<const block_key> keys);
  /// Keys live at least until their pins end: those that are there now, and those that are put meanwhile. What could not be reached
  /// is told again with the owner's next word. Before Redis 7.0, which can compare ends, it holds for what is put.
  void apply(unix_ms now, const stored_intent& intent, layout_id layout, scope_id scope);
  /// The owner is gone; what its pins gave to keys stays with them.
  void release(owner_id owner);
  /// Returns how many were removed. What could not be reached lives until its ttl.
  std::size_t drop(unix_ms now, std::span<const block_key> keys);

  [[nodiscard]] remote_store_counts counts() const;
  [[nodiscard]] circuit_breaker::phase breaker() const;
  [[nodiscard]] std::string key_of(const block_key& key) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::store
