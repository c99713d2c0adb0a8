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
  /// Calls `kept` once, on the store's thread or at once: then the response can be had, after a crash too. When the disk refuses it that
  /// holds until the process ends; when limits::responses_waiting_max others wait it is not kept at all.
  void put(store::stored_response response, std::function<void()> kept);
  /// It can be had no more, at once; the file learns of it behind what is waiting. False: there is none.
  bool remove(std::string_view tenant, std::string_view id, std::int64_t now_s);

  [[nodiscard]] std::size_t count() const;

 private:
  struct task {
    store::response_ptr response;  ///< to be kept or, without `kept`, to be deleted
    std::function<void()> kept;
  };

  response_store(std::optional<store::response_log> log, store::response_table table);
  void carry_out(const task& next);
  void note(const expected<std::uint64_t>& written);

  mutable std::mutex mutex_;  // of table_ and waiting_by_
  store::response_table table_;
  core::fair_shares waiting_by_;            ///< tenant: those to be kept
  std::optional<store::response_log> log_;  // the queue's thread alone
  bool failing_ = false;                    // the queue's thread alone: said once
  write_queue<task> waiting_;
};

}  // namespace troupe::gateway
