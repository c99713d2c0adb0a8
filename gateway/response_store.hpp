// The responses that clients may go on from, shared by all connections of a server. Reading never waits for the disk: what can be had lies
// in memory, one thread of its own writes the journal behind it.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>

#include "engine/core/fair_shares.hpp"
#include "engine/store/response_log.hpp"
#include "gateway/write_queue.hpp"

namespace troupe::gateway {

class response_store {
 public:
  /// With what `file` holds. An empty path keeps them in memory alone. Failures: the journal's.
  static expected<std::shared_ptr<response_store>> open(const std::filesystem::path& file, store::response_bounds bounds,
                                                        std::int64_t now_s);
  response_store(const response_store&) = delete;
  response_store& operator=(const response_store&) = delete;

  /// Null: unknown to that tenant, deleted, or too old.
  [[nodiscard]] store::response_ptr find(std::string_view tenant, std::string_view id, std::int64_t now_s) const;
  enum class keeping : std::uint8_t { kept, refused };
  /// Calls `then` once, on the store's thread or at once. kept: the response can be had, after a crash too; when the disk refuses it, until
  /// the process ends. refused, and not kept at all: limits::responses_waiting_max wait, more than its fair share of them the tenant's, or the table
  /// has no room for more of the tenant's.
  void put(store::stored_response response, std::function<void(keeping)> then);
  /// Calls `then` once, in the same way, with true when the response can be had no more, after a crash neither, and with false when there is
  /// none. Failures, which leave it where it is: queue_full, io_failed.
  void remove(std::string_view tenant, std::string_view id, std::int64_t now_s, std::function<void(expected<bool>)> then);

  [[nodiscard]] std::size_t count() const;

 private:
  struct task {
    store::response_ptr response;
    std::function<void(keeping)> kept;             ///< of one to be kept
    std::function<void(expected<bool>)> removed{};  ///< of one to be deleted
  };

  response_store(std::optional<store::response_log> log, store::response_table table);
  void keep(const task& next);
  void remove(const task& next);
  void tidy();
  /// Counts one more that waits; false: it is one too many, and the tenant's doing. Needs the lock.
  bool let_wait(const std::string& tenant);
  void note(const expected<std::uint64_t>& written);

  mutable std::mutex mutex_;  // of table_ and waiting_by_
  store::response_table table_;
  core::fair_shares waiting_by_;            ///< tenant
  std::optional<store::response_log> log_;  // the queue's thread alone
  bool failing_ = false;                    // the queue's thread alone: said once
  write_queue<task> waiting_;
};

}  // namespace troupe::gateway
