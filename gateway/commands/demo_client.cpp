#include "gateway/commands/demo_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "gateway/commands/client_answers.hpp"

namespace troupe::gateway {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
namespace {

using clock = std::chrono::steady_clock;
constexpr auto wait = std::chrono::seconds(60);  // of one operation; the built-in model answers in milliseconds, a large one in seconds

double seconds_since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

/// One exchange on a connection of its own. `on_body` sees the body so far, each time it has grown.
class exchange {
 public:
  using body_seen = std::function<void(const std::string&)>;

  exchange(const std::string& host, const std::string& port) : host_(host), port_(port), stream_(context_) {}

  beast::error_code run(http::request<http::string_body> request, const body_seen& on_body) {
    beast::error_code error;
    const auto addresses = asio::ip::tcp::resolver(context_).resolve(host_, port_, error);
    if (error) return error;
    request.set(http::field::host, host_ + ":" + port_);
    request.prepare_payload();
    if ((error = wait_for([&](auto done) { stream_.async_connect(addresses, [done](auto failed, const auto&) { done(failed); }); }))) return error;
    if ((error = wait_for([&](auto done) { http::async_write(stream_, request, [done](auto failed, auto) { done(failed); }); }))) return error;
    parser_.body_limit(std::uint64_t{64} << 20);
    while (!parser_.is_done()) {
      if ((error = wait_for([&](auto done) { http::async_read_some(stream_, buffer_, parser_, [done](auto failed, auto) { done(failed); }); })))
        return error;
      if (on_body) on_body(parser_.get().body());
    }
    return {};
  }
  [[nodiscard]] const http::response<http::string_body>& response() const { return parser_.get(); }

 private:
  template <class Start>
  beast::error_code wait_for(Start start) {
    beast::error_code result = asio::error::timed_out;
    stream_.expires_after(wait);
    start([&result](beast::error_code error) { result = error; });
    context_.restart();
    context_.run();
    return result;
  }

  std::string host_, port_;
  asio::io_context context_{1};
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

http::request<http::string_body> make_request(std::string_view method, std::string_view target, const json::object& body) {
  http::request<http::string_body> request{http::string_to_verb(method), target, 11};
  request.set(http::field::content_type, "application/json");
  request.set(http::field::connection, "close");
  request.body() = json::serialize(body);
  return request;
}

/// Reads the data frames of a growing SSE body.
class frame_reader {
 public:
  explicit frame_reader(clock::time_point begin) : begin_(begin) {}

  void see(const std::string& body) {
    for (std::size_t end; (end = body.find('\n', read_)) != std::string::npos; read_ = end + 1) {
      const auto line = std::string_view(body).substr(read_, end - read_);
      if (line.starts_with("data: {")) take(line.substr(6));
    }
  }
  demo_turn turn;
  std::string error;

 private:
  void take(std::string_view data) {
    boost::system::error_code failed;
    const auto frame = json::parse(data, failed);
    if (failed) return;
    if (const auto* message = frame.find_pointer("/error/message", failed); message && message->is_string()) error = message->as_string();
    if (const auto* text = frame.find_pointer("/choices/0/delta/content", failed); text && text->is_string() && !text->as_string().empty()) {
      if (turn.text.empty()) turn.first_token_s = seconds_since(begin_);
      turn.text += text->as_string();
    }
    read_usage(frame, turn);
  }

  clock::time_point begin_;
  std::size_t read_ = 0;
};

}  // namespace

expected<demo_client> demo_client::make(std::string_view url) {
  const auto address = parse_server_address(url);
  if (!address) return address.error();
  return demo_client(address->host, address->port);
}

expected<json::object> demo_client::request(std::string_view method, std::string_view target, const json::object& body) const {
  exchange with(host_, port_);
  if (const auto error = with.run(make_request(method, target, body), {}))
    return failure{errc::io_failed, "no answer from " + host_ + ":" + port_ + ": " + error.message(), {}};
  if (with.response().result_int() >= 400) return refusal_of(with.response());
  boost::system::error_code error;
  auto parsed = json::parse(with.response().body(), error);
  return parsed.is_object() ? std::move(parsed.as_object()) : json::object{};
}

expected<demo_turn> demo_client::chat(json::object body, const demo_identity& who) const {
  body["stream"] = true;
  body["stream_options"] = json::object{{"include_usage", true}};
  auto request = make_request("POST", "/v1/chat/completions", body);
  request.set("x-session-id", who.session);
  if (!who.parent.empty()) request.set("x-parent-session-id", who.parent);
  const auto begin = clock::now();
  frame_reader frames(begin);
  exchange with(host_, port_);
  if (const auto error = with.run(std::move(request), [&](const std::string& seen) { frames.see(seen); }))
    return failure{errc::io_failed, "no answer from " + host_ + ":" + port_ + ": " + error.message(), {}};
  if (with.response().result_int() >= 400) return refusal_of(with.response());
  if (!frames.error.empty()) return failure{errc::internal, frames.error, {}};
  frames.turn.total_s = seconds_since(begin);
  return std::move(frames.turn);
}

}  // namespace troupe::gateway
