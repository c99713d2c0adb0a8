// The responses that clients may go on from, shared by all connections of a server. Reading never waits for the disk: what can be had lies
// in memory, one thread of its own writes the journal behind it.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/store/response_log.hpp"

namespace troupe::gateway {

class response_store {
 public:
  /// With what `file` holds. An empty path keeps them in memory alone. Failures: the journal's.
  static expected<std::shared_ptr<response_store>> open(const std::filesystem::path& file, store::response_bounds bounds,
                                                        std::int64_t now_s);
  /// Writes what is waiting.
  ~response_store();
  response_store(const response_store&) = delete;
  response_store& operator=(const response_store&) = delete;

  /// Null: unknown to that tenant, deleted, or too old.
  [[nodiscard]] store::response_ptr find(std::string_view tenant, std::string_view id, std::int64_t now_s) const;
  /// Calls `kept` once, on the store's thread or at once: then the response can be had, after a crash too. When the disk refuses it that
  /// holds until the process ends; it is not kept at all when limits::responses_waiting_max wait, more than its fair share of them the
  /// tenant's, or when the table has no room for more of the tenant's.
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
  void write();
  void carry_out(const task& next);
  void note(const expected<std::uint64_t>& written);

  mutable std::mutex mutex_;  // of table_, waiting_, waiting_by_ and ending_
  std::condition_variable changed_;
  store::response_table table_;
  std::deque<task> waiting_;
  core::fair_shares waiting_by_;  ///< tenant: those to be kept
  bool ending_ = false;
  std::optional<store::response_log> log_;  // the thread's alone
  bool failing_ = false;                    // the thread's alone: said once
  std::thread thread_;
};

}  // namespace troupe::gateway
