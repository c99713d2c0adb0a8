// A turn with an idempotency key: it outlives the connection that asked for it, so it has a strand, a link to the actors and a timer of its
// own. Its exchange writes into a record; connections on strands of theirs read that and are told when there is more.
//
//   running -> kept for kept_turn_time -> forgotten      an answer that is none (an error before the first byte) -> forgotten at once
//   running, nobody reads for kept_turn_orphan_wait -> cancelled and forgotten
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/exchange.hpp"
#include "gateway/idempotency.hpp"
#include "gateway/strand.hpp"
#include "gateway/turn_record.hpp"

namespace troupe::gateway {

struct connection_context;

class turn_watcher {
 public:
  virtual ~turn_watcher() = default;
  /// There is more to read. Comes from any thread and must not call back.
  virtual void turn_changed() = 0;
};

class kept_turn final : public reply_channel, public std::enable_shared_from_this<kept_turn> {
 public:
  kept_turn(std::shared_ptr<const connection_context> context, turn_key key);
  ~kept_turn() override;
  kept_turn(const kept_turn&) = delete;
  kept_turn& operator=(const kept_turn&) = delete;
  [[nodiscard]] const turn_key& key() const noexcept { return key_; }

  // From any thread.

  void start(turn_job job, std::string request_id, error_shape shape);
  /// Whoever joins reads, until it leaves. False when the turn was cancelled: it is none any more.
  bool join();
  void leave();
  void watch(turn_watcher& watcher);
  /// It is not called after this.
  void unwatch(turn_watcher& watcher);
  turn_record::progress read(std::uint64_t& next, std::size_t bytes_max, std::string& out) const;
  [[nodiscard]] std::shared_ptr<const http_response> head() const;
  [[nodiscard]] std::uint64_t frames() const;
  [[nodiscard]] bool is_read() const;
  /// Gives up what was said, unless somebody reads it.
  bool discard_unread();
  /// Cancels it and ends its timer.
  void stop();

  // What its exchange says, on its strand.

  void respond(http_response response) override;
  void begin_stream(http_response head) override;
  std::string& stream_buffer() override { return frames_; }
  void flush() override;
  void end_stream() override;
  void close_after() override { how_ = turn_record::ending::failed; }
  void wake_earlier() override { arm(); }
  [[nodiscard]] time_point now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] std::function<void(std::function<void()>)> poster() const override;

 private:
  void run(turn_job job, std::string request_id, error_shape shape);
  /// Changes the record and tells the watchers; the registry hears of bytes gained or lost.
  template <class Change>
  void write(Change change);
  void end();
  void drop_exchange();
  void arm();
  void on_timer();
  [[nodiscard]] time_point unread_until() const;
  bool cancel_unread();
  void abandon();

  std::shared_ptr<const connection_context> context_;
  turn_key key_;
  strand strand_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<actor_link> link_;
  std::shared_ptr<exchange> exchange_;
  std::string frames_;
  turn_record::ending how_ = turn_record::ending::complete;
  time_point forget_at_ = never, armed_ = never;

  mutable std::mutex mutex_;  // of what follows
  turn_record record_;
  std::vector<turn_watcher*> watchers_;
  std::size_t joined_ = 0;
  time_point left_at_ = never;
  bool cancelled_ = false;
};

}  // namespace troupe::gateway
