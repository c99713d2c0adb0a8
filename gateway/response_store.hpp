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
  enum class keeping : std::uint8_t { kept, refused };
  /// Calls `then` once, on the store's thread or at once. kept: the response can be had, after a crash too; when the disk refuses it, until
  /// the process ends. refused: limits::responses_waiting_max others wait, and it is not kept at all.
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
  void write();
  void keep(const task& next);
  void remove(const task& next);
  void tidy();
  void note(const expected<std::uint64_t>& written);

  mutable std::mutex mutex_;  // of table_, waiting_ and ending_
  std::condition_variable changed_;
  store::response_table table_;
  std::deque<task> waiting_;
  bool ending_ = false;
  std::optional<store::response_log> log_;  // the thread's alone
  bool failing_ = false;                    // the thread's alone: said once
  std::thread thread_;
};

}  // namespace troupe::gateway
