// One request and its answer: carries out what a route decided. Knows when a stream begins, when silence needs a comment and when
// the deadline has passed; knows neither sockets nor actors, only the two interfaces.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/actor_link.hpp"
#include "gateway/error_shape.hpp"
#include "gateway/http_message.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

using time_point = std::chrono::steady_clock::time_point;
inline constexpr time_point never = time_point::max();

/// The sending half of a connection. After `respond` or `end_stream` the exchange is over.
class reply_channel {
 public:
  virtual ~reply_channel() = default;
  virtual void respond(http_response response) = 0;
  virtual void begin_stream(http_response head) = 0;
  /// Append frames here, then flush. What is there while a write is running leaves with the next one.
  virtual std::string& stream_buffer() = 0;
  virtual void flush() = 0;
  virtual void end_stream() = 0;
  /// Closes the connection once everything is sent.
  virtual void close_after() = 0;
  /// The answer wants to be woken earlier than it has said.
  virtual void wake_earlier() = 0;
  [[nodiscard]] virtual time_point now() const = 0;
  /// Runs what it is given on the channel's strand; may be called from any thread, also when the channel is gone.
  [[nodiscard]] virtual std::function<void(std::function<void()>)> poster() const = 0;
};

/// What a connection is busy with: an exchange, or a kept turn that it follows.
class running_answer {
 public:
  virtual ~running_answer() = default;
  /// When `wake` wants to be called, `never` when it does not.
  [[nodiscard]] virtual time_point wake_at() const noexcept = 0;
  virtual void wake() = 0;
  /// Whether anything would go on for a client that is gone: then the connection is cut at once.
  [[nodiscard]] virtual bool is_turn() const noexcept = 0;
  /// The connection is gone; nothing is sent any more.
  virtual void abandon() = 0;
  /// Everything that was flushed has been sent.
  virtual void drained() {}
};

class exchange final : public running_answer, public std::enable_shared_from_this<exchange> {
 public:
  exchange(reply_channel& channel, actor_link& actors, const gateway_options& options, std::string request_id, error_shape shape);

  void run(route_result result);
  [[nodiscard]] time_point wake_at() const noexcept override;
  void wake() override;
  [[nodiscard]] bool is_turn() const noexcept override { return writer_ != nullptr; }
  /// Its turn is cancelled.
  void abandon() override;

 private:
  void start(control_job job);
  void start(deferred_job job);
  void start(turn_job job);
  void on_event(const turn_event& event);
  void on_delta(const turn_delta& event);
  void on_finished(const turn_finished& event);
  void on_prepared(end_preparation how);
  void end(const turn_finished& event);
  void begin_stream();
  void send_frames();
  void respond(http_response response);
  void fail(const failure& error, std::vector<http_field> fields = {});

  reply_channel& channel_;
  actor_link& actors_;
  const gateway_options& options_;
  std::string request_id_;
  error_shape shape_;
  std::vector<http_field> fields_;  // of every answer: x-request-id, x-session-id
  std::unique_ptr<actor_call> call_;
  std::unique_ptr<answer_writer> writer_;
  std::function<void(const turn_finished&, std::function<void(end_preparation)>)> before_end_;
  std::function<void()> unprepared_;
  std::optional<turn_finished> ending_;  // while the end waits for what shall be before it
  std::string whole_;  // the body of an answer that is not streamed
  time_point deadline_ = never, comment_at_ = never;
  std::uint32_t next_sequence_ = 0;
  bool streams_ = false, stream_begun_ = false, over_ = false;
};

}  // namespace troupe::gateway
