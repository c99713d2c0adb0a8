#include "gateway/client_stream.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>

namespace troupe::gateway {
namespace asio = boost::asio;

client_stream::client_stream(asio::ip::tcp::socket socket, const tls_identity* identity)
    : socket_(std::move(socket)), is_encrypted_(identity != nullptr) {
  // The stream counts a reference to what it needs of the context.
  if (identity != nullptr) tls_ = std::make_unique<asio::ssl::stream<asio::ip::tcp::socket&>>(socket_, *identity->context());
}

std::string client_stream::peer() const {
  error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? std::string() : endpoint.address().to_string();
}

void client_stream::send_without_delay() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

bool client_stream::fall_back(const error_code& why) {
  if (why.category() != asio::error::get_ssl_category()) return false;
  if (ERR_GET_REASON(static_cast<unsigned long>(why.value())) != SSL_R_HTTP_REQUEST) return false;
  is_encrypted_ = false;  // the TLS stream stays: its handler is our caller
  return true;
}

asio::const_buffer client_stream::join(const buffers& from) {
  record_.clear();
  for (const auto& part : from) record_.append(static_cast<const char*>(part.data()), part.size());
  return asio::buffer(record_);
}

void client_stream::shutdown_send(std::shared_ptr<void> keep) {
  error_code ignored;
  if (!is_encrypted_) {
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return;
  }
  is_farewell_said_ = true;
  // Once the client has said its own, nothing more comes.
  tls_->async_shutdown([this, keep = std::move(keep)](error_code error) {
    error_code too_late;
    if (!error) socket_.shutdown(asio::ip::tcp::socket::shutdown_both, too_late);
  });
}

void client_stream::close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace troupe::gateway
