#include "test/support/self_signed.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace troupe::test {
namespace {

constexpr long day_s = 86'400;

template <auto release>
struct releaser {
  void operator()(auto* owned) const { release(owned); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, releaser<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, releaser<X509_free>>;
using file_ptr = std::unique_ptr<std::FILE, releaser<std::fclose>>;

void require(bool holds) {
  if (!holds) throw std::runtime_error("no certificate could be made");
}

certificate_ptr sign(EVP_PKEY* key) {
  certificate_ptr made(X509_new());
  require(made != nullptr);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -day_s);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), day_s);
  X509_set_pubkey(made.get(), key);
  auto* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("troupe test"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  std::unique_ptr<X509_EXTENSION, releaser<X509_EXTENSION_free>> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"));
  require(names && X509_add_ext(made.get(), names.get(), -1) == 1);
  require(X509_sign(made.get(), key, EVP_sha256()) > 0);
  return made;
}

}  // namespace

self_signed::self_signed() {
  auto pattern = (std::filesystem::temp_directory_path() / "troupe-tls-XXXXXX").string();
  require(::mkdtemp(pattern.data()) != nullptr);
  folder_ = pattern;
  renew();
}

self_signed::~self_signed() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void self_signed::renew() const {
  const key_ptr secret(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  require(secret != nullptr);
  const auto made = sign(secret.get());
  const file_ptr certificate_file(std::fopen(certificate().c_str(), "w")), key_file(std::fopen(key().c_str(), "w"));
  require(certificate_file && PEM_write_X509(certificate_file.get(), made.get()) == 1);
  require(key_file && PEM_write_PrivateKey(key_file.get(), secret.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::filesystem::permissions(key(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

boost::asio::ssl::context trusting(const self_signed& server) {
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  context.load_verify_file(server.certificate().string());
  context.set_verify_mode(boost::asio::ssl::verify_peer);
  return context;
}

}  // namespace troupe::test
