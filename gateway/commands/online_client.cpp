#include "gateway/commands/online_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/commands/client_answers.hpp"

namespace troupe::gateway {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
namespace {

using clock = std::chrono::steady_clock;
using string_request = http::request<http::string_body>;
constexpr std::uint64_t answer_bytes_max = std::uint64_t{64} << 20;

double seconds_since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

/// Reads the data frames of a growing SSE body.
class completion_frames {
 public:
  explicit completion_frames(clock::time_point begin) : begin_(begin) {}

  void see(const std::string& body) {
    for (std::size_t end; (end = body.find('\n', read_)) != std::string::npos; read_ = end + 1) {
      const auto line = std::string_view(body).substr(read_, end - read_);
      if (line.starts_with("data: {")) take(line.substr(6));
      if (line.starts_with("data: [DONE]")) is_done = true;
    }
  }
  online_turn turn;
  std::string error;
  bool is_done = false;

 private:
  void take(std::string_view data) {
    boost::system::error_code failed;
    const auto frame = json::parse(data, failed);
    if (failed) return;
    if (const auto* message = frame.find_pointer("/error/message", failed); message && message->is_string()) error = message->as_string();
    // A token without visible text (half a letter) shows with the next one, at the latest with the frame that says how it ended.
    if (turn.first_token_s == 0 && frame.find_pointer("/choices/0/text", failed) != nullptr) turn.first_token_s = seconds_since(begin_);
    read_usage(frame, turn);
  }

  clock::time_point begin_;
  std::size_t read_ = 0;
};

failure lost(beast::error_code error) {
  const bool late = error == beast::error::timeout;
  return {late ? errc::deadline_exceeded : errc::io_failed, late ? "no answer within the deadline" : "no answer: " + error.message(), {}};
}

/// One exchange on a connection of its own. `frames` sees the body so far, each time it has grown.
asio::awaitable<expected<http::response<http::string_body>>> run(asio::ip::tcp::endpoint server, std::chrono::milliseconds deadline,
                                                                 string_request request, completion_frames* frames) {
  beast::error_code error;
  auto done = asio::redirect_error(asio::use_awaitable, error);
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(deadline);
  co_await stream.async_connect(server, done);
  if (error) co_return lost(error);
  request.prepare_payload();
  co_await http::async_write(stream, request, done);
  if (error) co_return lost(error);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes_max);
  while (!parser.is_done()) {
    co_await http::async_read_some(stream, buffer, parser, done);
    if (error) co_return lost(error);
    if (frames != nullptr) frames->see(parser.get().body());
  }
  co_return parser.release();
}

string_request make_request(std::string_view method, std::string_view target, const std::string& host, const json::object* body) {
  string_request request{http::string_to_verb(method), target, 11};
  request.set(http::field::host, host);
  request.set(http::field::connection, "close");
  if (body == nullptr) return request;
  request.set(http::field::content_type, "application/json");
  request.body() = json::serialize(*body);
  return request;
}

}  // namespace

expected<online_client> online_client::make(std::string_view url, std::chrono::milliseconds deadline) {
  const auto address = parse_server_address(url);
  if (!address) return address.error();
  const auto& [host, port] = *address;
  asio::io_context context;
  boost::system::error_code error;
  const auto addresses = asio::ip::tcp::resolver(context).resolve(host, port, error);
  if (error || addresses.empty()) return failure{errc::io_failed, host + ":" + port + ": " + error.message(), "url"};
  return online_client(host + ":" + port, addresses.begin()->endpoint(), deadline);
}

asio::awaitable<expected<json::object>> online_client::request(std::string method, std::string target, json::object body) const {
  auto answer = co_await run(server_, deadline_, make_request(method, target, host_, body.empty() ? nullptr : &body), nullptr);
  if (!answer) co_return answer.error();
  if (answer->result_int() >= 400) co_return refusal_of(*answer);
  boost::system::error_code error;
  auto parsed = json::parse(answer->body(), error);
  co_return parsed.is_object() ? std::move(parsed.as_object()) : json::object{};
}

asio::awaitable<expected<online_turn>> online_client::complete(json::object body, std::string session) const {
  body["stream"] = true;
  body["stream_options"] = json::object{{"include_usage", true}};
  auto request = make_request("POST", "/v1/completions", host_, &body);
  request.set("x-session-id", session);
  request.set("x-request-timeout-ms", std::to_string(deadline_.count()));
  const auto begin = clock::now();
  completion_frames frames(begin);
  const auto answer = co_await run(server_, deadline_, std::move(request), &frames);
  if (!answer) co_return answer.error();
  if (answer->result_int() >= 400) co_return refusal_of(*answer);
  if (!frames.error.empty()) co_return failure{errc::internal, "the stream says: " + frames.error, {}};
  if (!frames.is_done) co_return failure{errc::io_failed, "the stream ended without [DONE]", {}};
  frames.turn.total_s = seconds_since(begin);
  co_return frames.turn;
}

}  // namespace troupe::gateway
