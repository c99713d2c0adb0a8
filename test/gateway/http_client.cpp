#include "test/support/http_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>

namespace troupe::test {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr auto wait_max = std::chrono::seconds(10);
}

struct http_client::state {
  asio::io_context io;
  tcp::socket socket{io};
  std::unique_ptr<asio::ssl::stream<tcp::socket&>> tls;
  error_code ended;  // why nothing more can be read
  boost::beast::flat_buffer buffer;
  std::uint16_t port = 0;

  /// Starts an operation and waits for its end.
  template <class Start>
  error_code wait(Start start) {
    std::optional<error_code> result;
    start([&result](error_code error, std::size_t) { result = error; });
    io.restart();
    io.run_for(wait_max);
    if (result) return *result;
    socket.close();
    io.restart();
    io.run();
    throw std::runtime_error("the server did not answer in time");
  }

  /// Calls `use` with the stream, whatever its kind.
  template <class Use>
  void with_stream(Use use) {
    tls ? use(*tls) : use(socket);
  }

  error_code read_more() {
    ended = wait([this](auto done) {
      with_stream([&](auto& stream) {
        stream.async_read_some(buffer.prepare(16 << 10), [this, done](error_code error, std::size_t bytes) mutable {
          buffer.commit(bytes);
          done(error, bytes);
        });
      });
    });
    return ended;
  }

  void shake_hands(asio::ssl::context& context) {
    tls = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket, context);
    const auto error = wait(
        [this](auto done) { tls->async_handshake(asio::ssl::stream_base::client, [done](error_code error) mutable { done(error, 0); }); });
    if (error) throw std::runtime_error("handshake: " + error.message());
  }

  std::string take() {
    std::string bytes(static_cast<const char*>(buffer.cdata().data()), buffer.size());
    buffer.clear();
    return bytes;
  }
};

http_client::http_client(std::uint16_t port, options wish) : state_(std::make_unique<state>()) {
  state_->port = port;
  state_->socket.open(tcp::v4());
  if (wish.receive_buffer_bytes > 0) state_->socket.set_option(asio::socket_base::receive_buffer_size(wish.receive_buffer_bytes));
  state_->socket.connect({asio::ip::make_address("127.0.0.1"), port});
  state_->socket.set_option(tcp::no_delay(true));
  if (wish.tls != nullptr) state_->shake_hands(*wish.tls);
}

http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;

void http_client::send(std::string_view bytes) {
  const auto error =
      state_->wait([&](auto done) { state_->with_stream([&](auto& stream) { asio::async_write(stream, asio::buffer(bytes), done); }); });
  if (error) throw std::runtime_error("send: " + error.message());
}

void http_client::send_request(const std::string& method, const std::string& path, const std::string& body, const http_fields& fields) {
  std::string text = method + " " + path + " HTTP/1.1\r\n";
  if (fields.count("host") == 0) text += "host: 127.0.0.1:" + std::to_string(state_->port) + "\r\n";
  for (const auto& [name, value] : fields) text += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST") text += "content-length: " + std::to_string(body.size()) + "\r\n";
  send(text + "\r\n" + body);
}

http_reply http_client::request(const std::string& method, const std::string& path, const std::string& body, const http_fields& fields) {
  send_request(method, path, body, fields);
  return method == "HEAD" ? receive_head_only() : receive();
}

http_reply http_client::receive() {
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  const auto error =
      state_->wait([&](auto done) { state_->with_stream([&](auto& stream) { http::async_read(stream, state_->buffer, parser, done); }); });
  if (error) throw std::runtime_error("receive: " + error.message());
  http_reply reply;
  reply.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    std::string name(field.name_string());
    for (auto& letter : name) letter = static_cast<char>(std::tolower(letter));
    reply.fields[name] = std::string(field.value());
  }
  reply.body = parser.get().body();
  return reply;
}

http_reply http_client::receive_head_only() {
  http::response_parser<http::string_body> parser;
  parser.skip(true);
  const auto error =
      state_->wait([&](auto done) { state_->with_stream([&](auto& stream) { http::async_read(stream, state_->buffer, parser, done); }); });
  if (error) throw std::runtime_error("receive: " + error.message());
  http_reply reply;
  reply.status = static_cast<int>(parser.get().result_int());
  reply.fields["content-length"] = std::string(parser.get()[http::field::content_length]);
  return reply;
}

std::string http_client::read_until(std::string_view mark) {
  for (;;) {
    const std::string_view seen(static_cast<const char*>(state_->buffer.cdata().data()), state_->buffer.size());
    if (seen.find(mark) != seen.npos) return state_->take();
    if (const auto error = state_->read_more()) throw std::runtime_error("read_until: " + error.message() + " after: " + std::string(seen));
  }
}

std::string http_client::read_to_end() {
  while (!state_->read_more()) {
  }
  return state_->take();
}

void http_client::shutdown_send() { state_->socket.shutdown(tcp::socket::shutdown_send); }
void http_client::close() { state_->socket.close(); }

bool http_client::heard_farewell() const { return state_->tls && state_->ended == asio::error::eof; }

std::string http_client::agreed() const {
  auto* const session = state_->tls->native_handle();
  const unsigned char* protocol = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(session, &protocol, &bytes);
  return std::string(SSL_get_version(session)) + " " + std::string(reinterpret_cast<const char*>(protocol), bytes);
}

}  // namespace troupe::test
