// Who the gateway is to TLS clients: a certificate chain with its key, and what may be negotiated. TLS 1.2 and 1.3 with OpenSSL's suites of
// security level 2, HTTP/1.1 by ALPN. The files may be read again while it serves.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "messages/base/errc.hpp"

namespace boost::asio::ssl {
class context;
}

namespace troupe::gateway {

class tls_identity {
 public:
  /// PEM files: the certificate with what stands between it and its root, and its key, which others may not read. invalid_request or
  /// io_failed; `param` is the config's key.
  static expected<std::shared_ptr<tls_identity>> load(std::filesystem::path certificate, std::filesystem::path key);

  /// Of connections that begin now.
  [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> context() const;
  /// Reads both files again. After a failure all is as it was.
  expected<bool> reload();

  void count_done() noexcept { ++done_; }
  void count_failed() noexcept { ++failed_; }
  /// Prometheus text.
  [[nodiscard]] std::string metrics() const;

 private:
  tls_identity(std::filesystem::path certificate, std::filesystem::path key);

  std::filesystem::path certificate_, key_;
  mutable std::mutex mutex_;  // of context_
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::atomic<std::uint64_t> done_ = 0, failed_ = 0;
};

}  // namespace troupe::gateway
