// A small blocking HTTP client for tests. Every wait ends after 10 s with an exception: a hang is a failure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace boost::asio::ssl {
class context;
}

namespace troupe::test {

struct http_reply {
  int status = 0;
  std::map<std::string, std::string> fields;  ///< names in lower case
  std::string body;                           ///< chunks joined
  [[nodiscard]] std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string{} : found->second;
  }
};

using http_fields = std::map<std::string, std::string>;

/// One connection.
class http_client {
 public:
  struct options {
    int receive_buffer_bytes = 0;              ///< 0: the system's
    boost::asio::ssl::context* tls = nullptr;  ///< null: plain; a handshake that fails is an exception
  };
  explicit http_client(std::uint16_t port) : http_client(port, options{}) {}
  http_client(std::uint16_t port, options wish);
  ~http_client();
  http_client(http_client&&) noexcept;

  http_reply get(const std::string& path, const http_fields& fields = {}) { return request("GET", path, {}, fields); }
  http_reply post(const std::string& path, const std::string& body, const http_fields& fields = {}) {
    return request("POST", path, body, fields);
  }
  http_reply request(const std::string& method, const std::string& path, const std::string& body = {}, const http_fields& fields = {});

  /// The pieces of the above: bytes as they are, and the next whole answer.
  void send(std::string_view bytes);
  void send_request(const std::string& method, const std::string& path, const std::string& body = {}, const http_fields& fields = {});
  http_reply receive();
  http_reply receive_head_only();
  /// Everything that came (undecoded, since the last call) once `mark` is in it.
  std::string read_until(std::string_view mark);
  /// Reads until the server closes; the bytes that still came.
  std::string read_to_end();
  /// Says that nothing more will be sent.
  void shutdown_send();
  void close();
  /// TLS: the server's end was told, so that nothing can be missing.
  [[nodiscard]] bool heard_farewell() const;
  /// TLS: the version and the protocol that were agreed on, "TLSv1.3 http/1.1".
  [[nodiscard]] std::string agreed() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::test
