#include "gateway/exchange.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "messages/base/session_scope.hpp"

namespace troupe::gateway {

exchange::exchange(reply_channel& channel, actor_link& actors, const gateway_options& options, std::string request_id, error_shape shape)
    : channel_(channel), actors_(actors), options_(options), request_id_(std::move(request_id)), shape_(shape) {
  fields_.push_back({"x-request-id", request_id_});
  if (shape_ == error_shape::anthropic) fields_.push_back({"request-id", request_id_});  // which its clients read
}

void exchange::run(route_result result) {
  if (auto* response = std::get_if<http_response>(&result)) return respond(std::move(*response));
  if (auto* error = std::get_if<failure>(&result)) return fail(*error);
  if (auto* refused = std::get_if<refusal>(&result)) {
    for (const auto& ended : refused->ended) actors_.end_session(ended);
    return fail(refused->why, std::move(refused->fields));
  }
  if (auto* job = std::get_if<control_job>(&result)) return start(std::move(*job));
  if (auto* job = std::get_if<deferred_job>(&result)) return start(std::move(*job));
  start(std::move(std::get<turn_job>(result)));
}

void exchange::start(control_job job) {
  call_ = actors_.control(std::move(job.request), options_.control_wait,
                          [weak = weak_from_this(), answer = std::move(job.answer)](const control_answer& result) {
                            const auto self = weak.lock();
                            if (!self || self->over_) return;
                            if (const auto* error = std::get_if<failure>(&result)) return self->fail(*error);
                            self->respond(answer(result));
                          });
  // The actor's own requests are bounded by the same wait; this holds even if its answer were lost.
  deadline_ = channel_.now() + options_.control_wait + std::chrono::seconds(1);
}

void exchange::start(deferred_job job) {
  deadline_ = channel_.now() + options_.response_wait;
  job.begin([weak = weak_from_this(), post = channel_.poster()](expected<http_response> answer) {
    post([weak, answer = std::move(answer)] {
      const auto self = weak.lock();
      if (!self || self->over_) return;
      answer ? self->respond(*answer) : self->fail(answer.error());
    });
  });
}

void exchange::start(turn_job job) {
  fields_.push_back({"x-session-id", std::string(client_id_of(job.spawn.id))});
  std::ranges::move(job.fields, std::back_inserter(fields_));
  for (const auto& ended : job.ended) actors_.end_session(ended);
  writer_ = std::move(job.writer);
  streams_ = job.stream;
  before_end_ = std::move(job.before_end);
  unprepared_ = std::move(job.unprepared);
  const auto now = channel_.now();
  deadline_ = now + std::chrono::milliseconds(job.turn.timeout_ms);
  if (streams_) comment_at_ = now + options_.sse_comment_interval;
  call_ = actors_.turn(std::move(job.spawn), std::move(job.turn), [weak = weak_from_this()](const turn_event& event) {
    const auto self = weak.lock();
    if (self && !self->over_) self->on_event(event);
  });
}

time_point exchange::wake_at() const noexcept { return over_ ? never : std::min(deadline_, comment_at_); }

void exchange::wake() {
  const auto now = channel_.now();
  if (over_) return;
  if (now >= deadline_) {
    if (ending_) return on_prepared(end_preparation::refused);
    if (call_) call_->cancel(errc::deadline_exceeded);
    return fail({errc::deadline_exceeded, "the request ran past its deadline", {}});
  }
  if (now < comment_at_) return;
  begin_stream();
  // A reader that has not taken what is there needs no more.
  if (channel_.stream_buffer().empty()) channel_.stream_buffer().append(": keep-alive\n\n");
  send_frames();
}

void exchange::abandon() {
  over_ = true;
  call_.reset();
}

void exchange::on_event(const turn_event& event) {
  if (const auto* delta = std::get_if<turn_delta>(&event)) return on_delta(*delta);
  if (const auto* finished = std::get_if<turn_finished>(&event)) return on_finished(*finished);
  if (const auto* error = std::get_if<failure>(&event)) return fail(*error);
  const auto& started = std::get<turn_started>(event);
  if (!streams_) {
    std::string nothing;  // of a whole answer; but whoever counts has to hear of it
    return writer_->started(started, nothing);
  }
  begin_stream();
  writer_->started(started, channel_.stream_buffer());
  send_frames();
}

void exchange::on_delta(const turn_delta& event) {
  if (event.sequence < next_sequence_) return;  // said before
  if (event.sequence > next_sequence_) {
    if (call_) call_->cancel(errc::internal);
    return fail({errc::internal, "a piece of the answer was lost", {}});
  }
  ++next_sequence_;
  if (!streams_) return writer_->delta(event, whole_);
  begin_stream();
  writer_->delta(event, channel_.stream_buffer());
  send_frames();
}

void exchange::on_finished(const turn_finished& event) {
  if (event.how == turn_end::failed) return fail(event.error);
  if (!before_end_) return end(event);
  ending_ = event;
  deadline_ = channel_.now() + options_.response_wait;  // the turn's own counts no more
  channel_.wake_earlier();
  before_end_(event, [weak = weak_from_this(), post = channel_.poster()](end_preparation how) {
    post([weak, how] {
      const auto self = weak.lock();
      if (self && !self->over_) self->on_prepared(how);
    });
  });
}

void exchange::on_prepared(end_preparation how) {
  const auto event = std::exchange(ending_, std::nullopt);
  if (!event) return;  // it was given up
  if (how == end_preparation::refused && unprepared_) unprepared_();
  end(*event);
}

void exchange::end(const turn_finished& event) {
  if (!streams_) {
    writer_->finished(event, whole_);
    http_response response;
    response.body = std::move(whole_);
    return respond(std::move(response));
  }
  begin_stream();
  writer_->finished(event, channel_.stream_buffer());
  over_ = true;
  channel_.end_stream();
}

void exchange::begin_stream() {
  if (stream_begun_) return;
  stream_begun_ = true;
  http_response head;
  head.content_type = "text/event-stream; charset=utf-8";
  head.fields = fields_;
  head.fields.push_back({"cache-control", "no-cache"});
  head.fields.push_back({"x-accel-buffering", "no"});  // nginx would hold frames back
  channel_.begin_stream(std::move(head));
}

void exchange::send_frames() {
  comment_at_ = channel_.now() + options_.sse_comment_interval;
  channel_.flush();
}

void exchange::respond(http_response response) {
  over_ = true;
  response.fields.insert(response.fields.end(), fields_.begin(), fields_.end());
  channel_.respond(std::move(response));
}

void exchange::fail(const failure& error, std::vector<http_field> fields) {
  if (!stream_begun_) {
    if (writer_) writer_->refused(error);
    auto response = error_response(error, shape_, request_id_);
    // What a refusal says of itself is more exact.
    std::erase_if(response.fields, [&fields](const http_field& usual) {
      return std::ranges::any_of(fields, [&usual](const http_field& own) { return own.name == usual.name; });
    });
    response.fields.insert(response.fields.end(), std::make_move_iterator(fields.begin()), std::make_move_iterator(fields.end()));
    return respond(std::move(response));
  }
  over_ = true;
  writer_->failed(error, request_id_, channel_.stream_buffer());
  channel_.close_after();
  channel_.end_stream();
}

}  // namespace troupe::gateway
