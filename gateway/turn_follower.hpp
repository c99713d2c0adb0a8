// A connection's view of a kept turn: what was said from some frame on, then what is being said. It takes no more than its reader does, so
// a slow one holds nothing but the record.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "gateway/connection.hpp"
#include "gateway/kept_turn.hpp"

namespace troupe::gateway {

/// A turn to follow. The request that began it is no repeat.
struct followed_turn {
  std::shared_ptr<kept_turn> turn;  ///< joined; the follower leaves it
  std::uint64_t seen = 0;           ///< frames that the client has
  bool is_repeat = false;
};

class turn_follower final : public running_answer, public turn_watcher, public std::enable_shared_from_this<turn_follower> {
 public:
  turn_follower(reply_channel& channel, connection_handle& connection, const strand& where, const gateway_options& options,
                followed_turn followed, std::string request_id, error_shape shape);
  ~turn_follower() override;
  turn_follower(const turn_follower&) = delete;
  turn_follower& operator=(const turn_follower&) = delete;

  void run();
  [[nodiscard]] time_point wake_at() const noexcept override { return over_ ? never : comment_at_; }
  void wake() override;
  [[nodiscard]] bool is_turn() const noexcept override { return true; }
  /// The turn goes on for a while.
  void abandon() override { leave(); }
  void drained() override {
    sending_ = false;
    pump();
  }
  void turn_changed() override;

 private:
  void pump();
  [[nodiscard]] bool send(turn_record::progress seen);
  void begin_stream();
  void flush();
  void lose();
  void fail(const failure& error);
  [[nodiscard]] http_response own_head() const;
  void leave();

  reply_channel& channel_;
  connection_handle& connection_;
  strand strand_;
  const gateway_options& options_;
  followed_turn followed_;
  std::string request_id_;
  error_shape shape_;
  std::size_t slice_bytes_;
  std::uint64_t next_;  // frame
  time_point comment_at_ = never;
  bool stream_begun_ = false, over_ = false;
  bool sending_ = false;  // nothing more is taken meanwhile: one frame may be longer than all that may wait on a connection
  std::atomic<bool> told_ = false;  // a pump is on its way
};

}  // namespace troupe::gateway
