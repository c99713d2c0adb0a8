#include "gateway/connection.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <exception>

#include "gateway/audit_writer.hpp"
#include "gateway/client_stream.hpp"
#include "gateway/content_coding.hpp"
#include "gateway/error_shape.hpp"
#include "gateway/exchange.hpp"
#include "gateway/keyed_request.hpp"
#include "gateway/request_reader.hpp"

namespace troupe::gateway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

//   (greeting ->) reading -> answering -> reading ...     the last answer -> lingering -> closed     anything -> closed
// greeting: the TLS handshake. lingering: our side is shut; what the client still sends is dropped, so that it can read the answer before
// the reset.
enum class phase { greeting, reading, answering, lingering, closed };

class connection final : public connection_handle, public reply_channel, public std::enable_shared_from_this<connection> {
 public:
  connection(asio::ip::tcp::socket socket, const strand& where, std::shared_ptr<const connection_context> context,
             connection_events events)
      : context_(std::move(context)),
        options_(context_->options),
        strand_(where),
        stream_(std::move(socket), options_.tls.get()),
        timer_(strand_),
        reader_(options_, context_->uploads),
        link_(context_->make_link(strand_, context_->io)),
        events_(std::move(events)) {}

  void start() override {
    asio::post(strand_, [self = shared_from_this()] { self->begin(); });
  }
  void finish() override {
    asio::post(strand_, [self = shared_from_this()] {
      if (self->phase_ == phase::greeting || (self->phase_ == phase::reading && !self->request_begun_)) self->close();
      self->keep_alive_ = false;
    });
  }
  void cut() override {
    asio::post(strand_, [self = shared_from_this()] { self->close(); });
  }
  [[nodiscard]] time_point idle_since() const override { return idle_since_; }

  void respond(http_response response) override {
    keep_alive_ = keep_alive_ && !context_->draining;
    if (audit_) audit_->note_answer(response);
    head_ += response_head(response, body_framing::length, response.body.size(), keep_alive_);
    if (!reader_.is_head_only()) pending_ = std::move(response.body);
    answer_complete_ = true;
    flush();
  }

  void begin_stream(http_response head) override {
    // A client of HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
    chunked_ = reader_.is_http_1_1();
    if (audit_) audit_->note_answer(head);
    keep_alive_ = keep_alive_ && chunked_ && !context_->draining;
    head_ += response_head(head, chunked_ ? body_framing::chunked : body_framing::until_close, 0, keep_alive_);
  }

  std::string& stream_buffer() override { return pending_; }
  void end_stream() override {
    answer_complete_ = true;
    flush();
  }
  void close_after() override { keep_alive_ = false; }
  void wake_earlier() override { arm(); }
  [[nodiscard]] time_point now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] std::function<void(std::function<void()>)> poster() const override {
    return [io = context_->io, where = strand_](std::function<void()> what) { asio::post(where, std::move(what)); };
  }

  void flush() override {
    if (phase_ == phase::closed) return;
    if (writing_) {
      if (!answer_complete_ && pending_.size() > options_.stream_bytes_queued_max) close();
      return;
    }
    const bool last_chunk = answer_complete_ && chunked_ && !last_chunk_sent_;
    if (head_.empty() && pending_.empty() && !last_chunk) return;
    write(last_chunk);
  }

 private:
  void begin() {
    stream_.send_without_delay();
    if (options_.audit) peer_ = stream_.peer();
    first_head_by_ = now() + options_.header_wait;
    if (stream_.is_encrypted()) return greet();
    next_request(options_.header_wait);
  }

  void greet() {
    phase_ = phase::greeting;
    read_deadline_ = first_head_by_;
    stream_.async_handshake([self = shared_from_this()](error_code error) { self->on_greeted(error); });
    arm();
  }

  void on_greeted(error_code error) {
    error ? options_.tls->count_failed() : options_.tls->count_done();
    if (phase_ == phase::closed) return;
    if (error && !stream_.fall_back(error)) return close();
    next_request(options_.header_wait);
    if (error) refuse({errc::invalid_request, "this port speaks TLS: https instead of http", {}});
  }

  void next_request(std::chrono::milliseconds wait) {
    phase_ = phase::reading;
    request_begun_ = answer_complete_ = chunked_ = last_chunk_sent_ = false;
    reader_.begin();
    const auto time = now();
    read_deadline_ = std::min(time + wait, first_head_by_);
    parse();
    if (phase_ == phase::reading && !request_begun_) idle_since_ = time;
    arm();
  }

  // Reading

  void read() {
    if (reading_ || read_ended_ || phase_ == phase::closed) return;
    const auto into = reader_.prepare();
    if (into.size() == 0) return;  // pipelined bytes wait here; while they do, a silent disconnect is noticed only by the next write
    reading_ = true;
    stream_.async_read_some(into, [self = shared_from_this()](error_code error, std::size_t bytes) { self->on_read(error, bytes); });
  }

  void on_read(error_code error, std::size_t bytes) {
    reading_ = false;
    if (phase_ == phase::closed) return;
    reader_.commit(bytes);
    read_ended_ = read_ended_ || error;
    if (error && error != asio::error::eof) return close();
    if (phase_ == phase::reading) {
      parse();
    } else if (phase_ == phase::lingering) {
      reader_.drop_bytes();
      read_ended_ ? close() : read();
    } else {
      // A client that has gone looks the same as one that only shut its sending side, which no HTTP client does: its turn is cut.
      // Anything shorter is still answered.
      read_ended_&& exchange_ && exchange_->is_turn() ? close() : read();
    }
    arm();
  }

  void parse() {
    if (!request_begun_ && reader_.has_bytes()) {
      request_begun_ = true;
      idle_since_ = never;
      read_deadline_ = std::min(now() + options_.header_wait, first_head_by_);
    }
    for (;;) {
      switch (reader_.advance()) {
        case request_reader::step::needs_more:
          return read_ended_ ? close() : read();
        case request_reader::step::has_head:
          if (!on_header()) return;
          break;
        case request_reader::step::has_request:
          return on_request();
        case request_reader::step::is_refused:
          return refuse(reader_.why());
      }
    }
  }

  /// False when the request is refused, and what else it sends is not kept.
  bool on_header() {
    first_head_by_ = never;
    read_deadline_ = now() + options_.body_wait;
    const auto& head = reader_.head();
    open_audit(head);
    if (auto wrong = check_framing(head)) {
      refuse(std::move(*wrong));
      return false;
    }
    if (!options_.keys.empty()) {
      auto admitted = admit(head, need_of(head.path), options_.keys);
      if (!admitted) return refuse(admitted.error()), false;
      who_ = *std::move(admitted);
    }
    if (audit_) audit_->note_caller(who_);
    if (!introduce()) {
      refuse({errc::queue_full, "the tenant has more than its share of the connections", {}});
      return false;
    }
    reader_.charge_to(who_.tenant);
    keep_alive_ = keep_alive_ && reader_.keeps_alive();
    if (!reader_.wants_continue()) return true;
    head_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
    return true;
  }

  /// A stranger that needs no key stays one.
  bool introduce() {
    if (who_.tenant.empty() || who_.tenant == known_as_) return true;
    known_as_ = who_.tenant;
    return events_.on_admitted(known_as_);
  }

  /// What is known of the request decides the shape of the refusal.
  void refuse(failure why) {
    keep_alive_ = false;
    if (!audit_) open_audit(reader_.head());
    answer(reader_.head(), std::move(why));
  }

  void on_request() {
    auto request = reader_.take();
    const auto entry = audit_;  // the answer may end it
    read_request(request);
    if (entry) entry->keep_body(std::move(request.body));
  }

  void read_request(http_request& request) {
    // With keys it is the key that a foreign page lacks.
    if (options_.keys.empty())
      if (auto refused = check_origin(request, context_->bound)) return answer(request, std::move(*refused));
    if (auto refused = decode_body(request, options_.body_bytes_max)) return answer(request, std::move(*refused));
    const auto key = read_turn_key(request, who_.tenant);
    if (!key) return answer(request, key.error());
    if (*key) return answer_keyed(request, **key);
    answer(request, route(request));
  }

  void answer_keyed(const http_request& request, const turn_key& key) {
    auto id = request_id_of(request, draw_random);
    const auto shape = error_shape_of(request);
    auto found = find_turn(key, context_, id, shape, [&] { return route(request); },
                           [&](const session_id& ended) { link_->end_session(ended); });
    if (auto* result = std::get_if<route_result>(&found)) return answer(request, std::move(*result));
    const auto follower =
        std::make_shared<turn_follower>(*this, *this, strand_, options_, std::get<followed_turn>(std::move(found)), std::move(id), shape);
    run(follower, [&] { follower->run(); });
  }

  [[nodiscard]] route_result route(const http_request& request) const {
    const auto unix_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    try {
      return audited(dispatch(request, {options_, draw_random, unix_s, context_->conversations, who_, context_->quotas, now()}), audit_);
    } catch (const std::exception& error) {
      return failure{errc::internal, std::string("the request could not be read: ") + error.what(), {}};
    }
  }

  // Answering

  void answer(const http_request& request, route_result result) {
    const auto running = std::make_shared<exchange>(*this, *link_, options_, request_id_of(request, draw_random), error_shape_of(request));
    run(running, [&] { running->run(std::move(result)); });
  }

  template <class Start>
  void run(std::shared_ptr<running_answer> running, Start start) {
    phase_ = phase::answering;
    read_deadline_ = never;
    reader_.forget_body();
    exchange_ = std::move(running);
    start();
    read();
    arm();
  }

  void write(bool last_chunk) {
    writing_ = true;
    wire_head_ = std::move(head_);
    wire_ = std::move(pending_);
    head_.clear();
    pending_.clear();
    wire_tail_.clear();
    if (chunked_ && !wire_.empty()) {
      char size[20];
      const auto [end, error] = std::to_chars(size, size + sizeof size, wire_.size(), 16);
      wire_head_.append(size, end).append("\r\n");
      wire_tail_ = "\r\n";
    }
    if (last_chunk) wire_tail_ += "0\r\n\r\n";
    last_chunk_sent_ = last_chunk_sent_ || last_chunk;
    write_deadline_ = now() + options_.write_wait;
    arm();
    const client_stream::buffers buffers{asio::buffer(wire_head_), asio::buffer(wire_), asio::buffer(wire_tail_)};
    stream_.async_write(buffers, [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(error_code error) {
    writing_ = false;
    write_deadline_ = never;
    if (phase_ == phase::closed) return;
    if (error) return close();
    flush();
    if (exchange_ && !writing_) exchange_->drained();
    if (!writing_ && phase_ == phase::answering && answer_complete_) finish_answer();
  }

  void finish_answer() {
    exchange_.reset();
    close_audit();
    keep_alive_ = keep_alive_ && !context_->draining;
    if (keep_alive_) return next_request(options_.keep_alive_wait);
    if (read_ended_) return close();
    phase_ = phase::lingering;
    stream_.shutdown_send(shared_from_this());
    read_deadline_ = now() + options_.linger_wait;
    reader_.drop_bytes();
    read();
    arm();
  }

  // Time: one timer, set to the earliest deadline. Moving a deadline back costs nothing until the timer fires.

  void arm() {
    if (phase_ == phase::closed) return;
    const auto next = std::min({read_deadline_, write_deadline_, exchange_ ? exchange_->wake_at() : never});
    if (next >= armed_) return;
    armed_ = next;
    timer_.expires_at(next);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->on_timer();
    });
  }

  void on_timer() {
    armed_ = never;
    if (phase_ == phase::closed) return;
    const auto time = now();
    if (time >= read_deadline_ || time >= write_deadline_) return close();
    if (const auto running = exchange_; running && time >= running->wake_at()) running->wake();
    arm();
  }

  void close() {
    if (phase_ == phase::closed) return;
    phase_ = phase::closed;
    reader_.forget_body();
    if (exchange_) exchange_->abandon();
    close_audit();
    stream_.close();
    timer_.cancel();
    // The exchange may be our caller: it goes with the last handler.
    asio::post(strand_, [self = shared_from_this()] { self->exchange_.reset(); });
    events_.on_closed();
  }

  void open_audit(const http_request& head) {
    if (!options_.audit) return;
    audit_ = std::make_shared<audit_entry>(options_.audit);
    audit_->note_head(head, peer_, now());
  }

  void close_audit() {
    if (audit_) audit_->note_end(now());
    audit_.reset();
  }

  std::shared_ptr<const connection_context> context_;
  const gateway_options& options_;
  strand strand_;
  client_stream stream_;
  asio::steady_timer timer_;
  request_reader reader_;
  std::unique_ptr<actor_link> link_;
  std::shared_ptr<audit_entry> audit_;  // of the request that is being read or answered; null: none is kept
  std::string peer_;                    // for it
  std::shared_ptr<running_answer> exchange_;
  connection_events events_;
  caller who_;            // whose request it is
  std::string known_as_;  // the tenant that was told
  phase phase_ = phase::reading;
  bool request_begun_ = false;  // bytes of the request that is being read have come
  bool keep_alive_ = true;
  bool reading_ = false, read_ended_ = false;
  bool writing_ = false, answer_complete_ = false;
  bool chunked_ = false, last_chunk_sent_ = false;
  std::string head_, pending_;                // to be sent next
  std::string wire_head_, wire_, wire_tail_;  // being sent
  time_point read_deadline_ = never, write_deadline_ = never, armed_ = never;
  time_point first_head_by_ = never;  // of a connection that has not said yet what it wants
  std::atomic<time_point> idle_since_ = never;
};

}  // namespace

std::shared_ptr<connection_handle> make_connection(asio::ip::tcp::socket socket, const strand& where,
                                                   std::shared_ptr<const connection_context> context, connection_events events) {
  return std::make_shared<connection>(std::move(socket), where, std::move(context), std::move(events));
}

}  // namespace troupe::gateway
