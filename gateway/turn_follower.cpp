#include "gateway/turn_follower.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace troupe::gateway {
namespace {

// What lies on one connection while its reader takes what lay there before.
constexpr std::size_t slice_bytes_max = 256 << 10;

}  // namespace

turn_follower::turn_follower(reply_channel& channel, connection_handle& connection, const strand& where, const gateway_options& options,
                             followed_turn followed, std::string request_id, error_shape shape)
    : channel_(channel),
      connection_(connection),
      strand_(where),
      options_(options),
      followed_(std::move(followed)),
      request_id_(std::move(request_id)),
      shape_(shape),
      slice_bytes_(std::min(slice_bytes_max, options.stream_bytes_queued_max / 2)),
      next_(followed_.seen + 1) {}

turn_follower::~turn_follower() { leave(); }

void turn_follower::leave() {
  over_ = true;
  if (!followed_.turn) return;
  followed_.turn->unwatch(*this);
  followed_.turn->leave();
  followed_.turn.reset();
}

void turn_follower::run() {
  followed_.turn->watch(*this);
  if (followed_.seen <= followed_.turn->frames()) return pump();
  fail({errc::invalid_request, "this turn has no frame of that id yet", "last-event-id"});
}

void turn_follower::turn_changed() {
  if (told_.exchange(true)) return;
  if (auto self = weak_from_this().lock()) boost::asio::post(strand_, [self = std::move(self)] { self->pump(); });
}

void turn_follower::pump() {
  told_ = false;
  // What is being sent goes first: then we are told that it has drained.
  while (!over_ && !sending_ && channel_.stream_buffer().empty())
    if (!send(followed_.turn->read(next_, slice_bytes_, channel_.stream_buffer()))) return;
}

/// Whether there may be more at once.
bool turn_follower::send(turn_record::progress seen) {
  switch (seen) {
    case turn_record::progress::waiting:
      return false;
    case turn_record::progress::lost:
      lose();
      return false;
    case turn_record::progress::whole:
      over_ = true;
      channel_.respond(own_head());
      return false;
    case turn_record::progress::streaming:
      if (stream_begun_ && channel_.stream_buffer().empty()) return false;
      begin_stream();
      flush();
      return true;
    case turn_record::progress::ended:
    case turn_record::progress::failed:
      begin_stream();
      over_ = true;
      if (seen == turn_record::progress::failed) channel_.close_after();
      channel_.end_stream();
      return false;
  }
  return false;
}

void turn_follower::flush() {
  sending_ = true;
  comment_at_ = channel_.now() + options_.sse_comment_interval;
  channel_.flush();
}

void turn_follower::begin_stream() {
  if (stream_begun_) return;
  stream_begun_ = true;
  channel_.begin_stream(own_head());
}

void turn_follower::wake() {
  if (over_ || channel_.now() < comment_at_) return;
  comment_at_ = channel_.now() + options_.sse_comment_interval;
  if (sending_) return;  // a reader that has not taken what is there needs no more
  channel_.stream_buffer().append(": keep-alive\n\n");
  flush();
}

void turn_follower::lose() {
  if (stream_begun_) return connection_.cut();  // too slow; a gap would not be seen as one
  fail({errc::answer_not_kept, "what is asked of this turn's answer is kept no more", "idempotency-key"});
}

void turn_follower::fail(const failure& error) {
  over_ = true;
  auto response = error_response(error, shape_, request_id_);
  response.fields.push_back({"x-request-id", request_id_});
  if (shape_ == error_shape::anthropic) response.fields.push_back({"request-id", request_id_});
  channel_.respond(std::move(response));
}

http_response turn_follower::own_head() const {
  auto head = *followed_.turn->head();
  for (auto& field : head.fields)
    if (field.name == "x-request-id" || field.name == "request-id") field.value = request_id_;
  if (followed_.is_repeat) head.fields.push_back({"idempotent-replayed", "true"});
  return head;
}

}  // namespace troupe::gateway
