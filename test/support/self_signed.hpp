// A certificate for 127.0.0.1 that signs itself, made for one test, in a folder that goes with it.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>

namespace troupe::test {

class self_signed {
 public:
  self_signed();
  ~self_signed();
  self_signed(const self_signed&) = delete;
  self_signed& operator=(const self_signed&) = delete;

  [[nodiscard]] std::filesystem::path certificate() const { return folder_ / "certificate.pem"; }
  [[nodiscard]] std::filesystem::path key() const { return folder_ / "key.pem"; }
  /// Certificate and key are others from here on.
  void renew() const;

 private:
  std::filesystem::path folder_;
};

/// A client that trusts this certificate alone.
boost::asio::ssl::context trusting(const self_signed& server);

}  // namespace troupe::test
