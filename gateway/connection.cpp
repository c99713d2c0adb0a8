#include "gateway/connection.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <exception>
#include <optional>

#include "gateway/content_coding.hpp"
#include "gateway/error_shape.hpp"
#include "gateway/exchange.hpp"
#include "gateway/keyed_request.hpp"
#include "gateway/request_body.hpp"

namespace troupe::gateway {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t read_bytes = 16 << 10;

//   reading -> answering -> reading ...     the last answer -> lingering -> closed     anything -> closed
// lingering: our side is shut; what the client still sends is dropped, so that it can read the answer before the reset.
enum class phase { reading, answering, lingering, closed };

class connection final : public connection_handle, public reply_channel, public std::enable_shared_from_this<connection> {
 public:
  connection(asio::ip::tcp::socket socket, const strand& where, std::shared_ptr<const connection_context> context,
             std::function<void()> on_closed)
      : context_(std::move(context)),
        options_(context_->options),
        strand_(where),
        socket_(std::move(socket)),
        timer_(strand_),
        buffer_(options_.header_bytes_max + read_bytes),
        link_(context_->make_link(strand_, context_->io)),
        on_closed_(std::move(on_closed)) {}

  void start() override {
    asio::post(strand_, [self = shared_from_this()] { self->begin(); });
  }
  void finish() override {
    asio::post(strand_, [self = shared_from_this()] {
      if (self->phase_ == phase::reading && !self->request_begun_) self->close();
      self->keep_alive_ = false;
    });
  }
  void cut() override {
    asio::post(strand_, [self = shared_from_this()] { self->close(); });
  }

  void respond(http_response response) override {
    keep_alive_ = keep_alive_ && !context_->draining;
    head_ += response_head(response, body_framing::length, response.body.size(), keep_alive_);
    if (!head_only_) pending_ = std::move(response.body);
    answer_complete_ = true;
    flush();
  }

  void begin_stream(http_response head) override {
    // A client of HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
    chunked_ = http_1_1_;
    keep_alive_ = keep_alive_ && chunked_ && !context_->draining;
    head_ += response_head(head, chunked_ ? body_framing::chunked : body_framing::until_close, 0, keep_alive_);
  }

  std::string& stream_buffer() override { return pending_; }
  void end_stream() override {
    answer_complete_ = true;
    flush();
  }
  void close_after() override { keep_alive_ = false; }
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
    error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    next_request(options_.header_wait);
  }

  void next_request(std::chrono::milliseconds wait) {
    phase_ = phase::reading;
    request_begun_ = answer_complete_ = chunked_ = last_chunk_sent_ = head_only_ = false;
    http_1_1_ = true;  // until the request says otherwise: it may be refused before it does
    parser_.emplace();
    head_request_ = {};
    parser_->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
    parser_->body_limit(options_.body_bytes_max);
    read_deadline_ = now() + wait;
    parse();
    arm();
  }

  // Reading

  void read() {
    if (reading_ || read_ended_ || phase_ == phase::closed) return;
    const auto room = buffer_.max_size() - buffer_.size();
    if (room == 0) return;  // pipelined bytes wait here; while they do, a silent disconnect is noticed only by the next write
    reading_ = true;
    // Not into the buffer itself: what is parsed meanwhile may move its end away from where a pending read would write.
    socket_.async_read_some(asio::buffer(incoming_, std::min(room, read_bytes)),
                            [self = shared_from_this()](error_code error, std::size_t bytes) { self->on_read(error, bytes); });
  }

  void on_read(error_code error, std::size_t bytes) {
    reading_ = false;
    if (phase_ == phase::closed) return;
    buffer_.commit(asio::buffer_copy(buffer_.prepare(bytes), asio::buffer(incoming_, bytes)));
    read_ended_ = read_ended_ || error;
    if (error && error != asio::error::eof) return close();
    if (phase_ == phase::reading) {
      parse();
    } else if (phase_ == phase::lingering) {
      buffer_.clear();
      read_ended_ ? close() : read();
    } else {
      // A client that has gone looks the same as one that only shut its sending side, which no HTTP client does: its turn is cut.
      // Anything shorter is still answered.
      read_ended_&& exchange_ && exchange_->is_turn() ? close() : read();
    }
    arm();
  }

  void parse() {
    while (buffer_.size() > 0) {
      if (!request_begun_) {
        request_begun_ = true;
        read_deadline_ = now() + options_.header_wait;
      }
      error_code error;
      const bool had_header = parser_->is_header_done();
      buffer_.consume(parser_->put(buffer_.cdata(), error));
      if (error && error != http::error::need_more) return refuse(error);
      if (!had_header && parser_->is_header_done() && !on_header()) return;
      if (!count_upload(parser_->get().body().size())) return refuse(failure{errc::queue_full, "too many bodies are being read", {}});
      if (error) break;
      if (parser_->is_done()) return on_request();
    }
    if (read_ended_) return close();
    if (buffer_.size() == buffer_.max_size()) return refuse(http::error::header_limit);
    read();
  }

  /// False when the request is refused, and what else it sends is not kept. What a chunked body brings behind it is no part of the head.
  bool on_header() {
    parser_->eager(true);
    read_deadline_ = now() + options_.body_wait;
    const auto& header = parser_->get();
    head_request_ = read_head(header);
    http_1_1_ = header.version() >= 11;
    head_only_ = header.method() == http::verb::head;
    if (auto wrong = check_framing(head_request_)) {
      refuse(std::move(*wrong));
      return false;
    }
    if (!options_.keys.empty()) {
      auto admitted = admit(head_request_, need_of(head_request_.path), options_.keys);
      if (!admitted) return turn_away(admitted.error()), false;
      who_ = *std::move(admitted);
    }
    keep_alive_ = keep_alive_ && header.keep_alive();
    if (parser_->is_done() || !http_1_1_ || !boost::beast::iequals(header[http::field::expect], "100-continue")) return true;
    head_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
    return true;
  }

  /// Keeps the bytes of the body that is being read in the sum of all; false when that is too much.
  bool count_upload(std::size_t bytes) {
    if (bytes == upload_bytes_) return true;
    const auto sum = context_->uploads_bytes += bytes - std::exchange(upload_bytes_, bytes);
    return bytes == 0 || sum <= options_.uploads_bytes_max;
  }

  void turn_away(failure why) {
    keep_alive_ = false;
    answer(head_request_, std::move(why));
  }

  void refuse(error_code error) {
    failure why{errc::invalid_request, "the request is not valid HTTP: " + error.message(), {}};
    if (error == http::error::header_limit)
      why = {errc::headers_too_large, "the header must be at most " + std::to_string(options_.header_bytes_max) + " bytes long", {}};
    if (error == http::error::body_limit)
      why = {errc::body_too_large, "the body must be at most " + std::to_string(options_.body_bytes_max) + " bytes long", {}};
    refuse(std::move(why));
  }

  void refuse(failure why) {
    keep_alive_ = false;
    // What is known of the request decides the shape of the refusal.
    answer(head_request_.method.empty() ? read_head(parser_->get()) : head_request_, std::move(why));
  }

  static http_request read_head(const http::request<request_body>& message) {
    http_request request;
    request.method = std::string(message.method_string());
    for (const auto& field : message) request.fields.push_back({std::string(field.name_string()), std::string(field.value())});
    read_target(message.target(), request);
    return request;
  }

  http_request take_request() {
    auto request = std::move(head_request_);
    request.body = std::move(parser_->get().body());
    parser_.reset();
    return request;
  }

  void on_request() {
    auto request = take_request();
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
    auto found = find_turn(key, context_, id, shape, [&] { return route(request); });
    if (auto* result = std::get_if<route_result>(&found)) return answer(request, std::move(*result));
    const auto follower =
        std::make_shared<turn_follower>(*this, *this, strand_, options_, std::get<followed_turn>(std::move(found)), std::move(id), shape);
    run(follower, [&] { follower->run(); });
  }

  [[nodiscard]] route_result route(const http_request& request) const {
    const auto unix_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    try {
      return dispatch(request, {options_, draw_random, unix_s, context_->conversations, who_, context_->quotas, now()});
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
    count_upload(0);
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
    const std::array<asio::const_buffer, 3> buffers{asio::buffer(wire_head_), asio::buffer(wire_), asio::buffer(wire_tail_)};
    asio::async_write(socket_, buffers, [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(error_code error) {
    writing_ = false;
    write_deadline_ = never;
    if (phase_ == phase::closed) return;
    if (error) return close();
    flush();
    if (exchange_ && pending_.empty()) exchange_->drained();
    if (!writing_ && phase_ == phase::answering && answer_complete_) finish_answer();
  }

  void finish_answer() {
    exchange_.reset();
    keep_alive_ = keep_alive_ && !context_->draining;
    if (keep_alive_) return next_request(options_.keep_alive_wait);
    if (read_ended_) return close();
    phase_ = phase::lingering;
    error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    read_deadline_ = now() + options_.linger_wait;
    buffer_.clear();
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
    count_upload(0);
    if (exchange_) exchange_->abandon();
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    // The exchange may be our caller: it goes with the last handler.
    asio::post(strand_, [self = shared_from_this()] { self->exchange_.reset(); });
    on_closed_();
  }

  std::shared_ptr<const connection_context> context_;
  const gateway_options& options_;
  strand strand_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::array<char, read_bytes> incoming_;  // the pending read's
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<request_body>> parser_;
  std::unique_ptr<actor_link> link_;
  http_request head_request_;  // without its body
  std::size_t upload_bytes_ = 0;
  std::shared_ptr<running_answer> exchange_;
  std::function<void()> on_closed_;
  caller who_;  // whose request it is
  phase phase_ = phase::reading;
  bool request_begun_ = false;  // bytes of the request that is being read have come
  bool keep_alive_ = true, http_1_1_ = true, head_only_ = false;
  bool reading_ = false, read_ended_ = false;
  bool writing_ = false, answer_complete_ = false;
  bool chunked_ = false, last_chunk_sent_ = false;
  std::string head_, pending_;                // to be sent next
  std::string wire_head_, wire_, wire_tail_;  // being sent
  time_point read_deadline_ = never, write_deadline_ = never, armed_ = never;
};

}  // namespace

std::shared_ptr<connection_handle> make_connection(asio::ip::tcp::socket socket, const strand& where,
                                                   std::shared_ptr<const connection_context> context, std::function<void()> on_closed) {
  return std::make_shared<connection>(std::move(socket), where, std::move(context), std::move(on_closed));
}

}  // namespace troupe::gateway
