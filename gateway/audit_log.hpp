// The audit log: requests hand in what is known of them when they are over, a thread of its own makes lines of it. Nothing waits for the
// disk: what finds the queue full is lost, and counted.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "gateway/audit_file.hpp"
#include "gateway/audit_record.hpp"
#include "gateway/caller.hpp"
#include "gateway/http_message.hpp"
#include "gateway/write_queue.hpp"

namespace troupe::gateway {

struct audit_options {
  std::filesystem::path file;
  audit_style style;
  audit_file_bounds bounds{limits::audit_file_bytes_max, limits::audit_files_max};
  std::size_t lines_waiting_max = limits::audit_lines_waiting_max;
  std::size_t held_bytes_max = limits::audit_held_bytes_max;
};

class audit_log {
 public:
  /// Takes a line with its line feed; false: it is lost.
  using sink = std::function<bool(const std::string& line)>;

  /// Failures: the file's.
  static expected<std::shared_ptr<audit_log>> open(audit_options options);
  audit_log(audit_options options, sink write);
  audit_log(const audit_log&) = delete;
  audit_log& operator=(const audit_log&) = delete;

  [[nodiscard]] bool wants_content() const noexcept { return options_.style.content != audit_content::none; }
  /// Room for so much content, until its record is written; false: there is none.
  [[nodiscard]] bool hold(std::size_t bytes);
  /// `held_bytes` were asked for with hold().
  void add(audit_record record, std::size_t held_bytes);
  /// Prometheus text.
  [[nodiscard]] std::string metrics() const;

 private:
  struct waiting_record {
    audit_record record;
    std::size_t held_bytes;
  };
  void write(const waiting_record& next);

  audit_options options_;
  sink sink_;
  std::atomic<std::size_t> held_bytes_ = 0;
  std::atomic<std::uint64_t> written_ = 0, lost_ = 0, contents_lost_ = 0;
  bool failing_ = false;  // the queue's thread alone: said once
  write_queue<waiting_record> waiting_;
};

/// One request until it is over: the connection and the turn that it began each fill their part, on strands of their own, and let it go.
/// The last of them hands it in.
class audit_entry {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  explicit audit_entry(std::shared_ptr<audit_log> log) : log_(std::move(log)) {}
  ~audit_entry();
  audit_entry(const audit_entry&) = delete;
  audit_entry& operator=(const audit_entry&) = delete;

  [[nodiscard]] bool wants_content() const noexcept { return log_->wants_content(); }

  // The connection's
  void note_head(const http_request& head, std::string client, time_point now);
  void note_caller(const caller& who);
  void note_answer(const http_response& head);
  void note_end(time_point now);
  void keep_body(std::string body);

  // The turn's
  void note_model(std::string name) { turn_.model = std::move(name); }
  void note_usage(std::uint32_t prompt_tokens, std::uint32_t cached_tokens, std::uint32_t output_tokens);
  void append_answer(std::string_view piece);

 private:
  audited_request request_;
  audited_turn turn_;
  time_point since_{};
  std::shared_ptr<audit_log> log_;
  std::size_t body_held_ = 0, answer_held_ = 0;
  bool body_lost_ = false, answer_lost_ = false;
};

}  // namespace troupe::gateway
