// The bytes of one client, plain or through TLS: the same calls, chosen once per operation. Reads and writes may run side by side, one of
// each, on the socket's strand.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>

#include "gateway/tls_identity.hpp"

namespace troupe::gateway {

class client_stream {
 public:
  using error_code = boost::system::error_code;
  using buffers = std::array<boost::asio::const_buffer, 3>;

  /// `identity` is null for plain TCP.
  client_stream(boost::asio::ip::tcp::socket socket, const tls_identity* identity);

  [[nodiscard]] bool is_encrypted() const noexcept { return is_encrypted_; }
  /// The client's address; empty when it has gone.
  [[nodiscard]] std::string peer() const;
  void send_without_delay();

  /// TLS only, first. Handler: (error).
  template <class Handler>
  void async_handshake(Handler handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
  }
  /// After a failed handshake: whether the client spoke HTTP instead. Then the stream is plain from here on.
  bool fall_back(const error_code& why);

  /// Handler: (error, bytes). A client that goes without a TLS farewell has ended as one with it: HTTP says itself where a message ends. After
  /// our own farewell the bytes are as they came, if there are any: TLS takes what a client sends then for a fault.
  template <class Handler>
  void async_read_some(const boost::asio::mutable_buffer& into, Handler handler) {
    if (!is_encrypted_ || is_farewell_said_) return socket_.async_read_some(into, std::move(handler));
    tls_->async_read_some(into, [this, handler = std::move(handler)](error_code error, std::size_t bytes) mutable {
      if (error == boost::asio::ssl::error::stream_truncated) error = boost::asio::error::eof;
      if (is_farewell_said_ && error.category() == boost::asio::error::get_ssl_category()) error = {};
      handler(error, bytes);
    });
  }

  /// Handler: (error, bytes). What `from` names stays where it is until then.
  template <class Handler>
  void async_write(const buffers& from, Handler handler) {
    if (!is_encrypted_) return boost::asio::async_write(socket_, from, std::move(handler));
    if (boost::asio::buffer_size(from) > record_bytes_max) return boost::asio::async_write(*tls_, from, std::move(handler));
    boost::asio::async_write(*tls_, join(from), std::move(handler));
  }

  /// Nothing more is sent. `keep` lives as long as the farewell takes, at most until close().
  void shutdown_send(std::shared_ptr<void> keep);
  void close();

 private:
  // Each buffer would be a record and a system call of its own.
  static constexpr std::size_t record_bytes_max = 16 << 10;
  boost::asio::const_buffer join(const buffers& from);

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  bool is_encrypted_;
  bool is_farewell_said_ = false;
  std::string record_;  // being written
};

}  // namespace troupe::gateway
