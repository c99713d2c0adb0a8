#include "gateway/tls_identity.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace troupe::gateway {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using context_ptr = std::shared_ptr<ssl::context>;

constexpr auto certificate_name = "gateway.tls_certificate", key_name = "gateway.tls_key";
// Chains and keys have some kilobytes.
constexpr std::size_t file_bytes_max = 1 << 20;
constexpr int security_level = 2;  // keys of 112 bits: RSA 2048, P-224

enum class readers { anybody, owner };

failure refused(const char* param, const std::string& why) { return {errc::invalid_request, std::string(param) + ": " + why, param}; }

expected<std::string> read_file(const std::filesystem::path& file, const char* param, readers allowed) {
  const auto failed = [&] {
    return failure{errc::io_failed, std::string(param) + ": cannot read " + file.string() + ": " + std::generic_category().message(errno),
                   param};
  };
  struct descriptor {
    int value;
    ~descriptor() {
      if (value >= 0) ::close(value);
    }
  } const opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (opened.value < 0) return failed();
  struct stat status {};
  if (::fstat(opened.value, &status) != 0) return failed();
  if (!S_ISREG(status.st_mode) || status.st_size > static_cast<off_t>(file_bytes_max))
    return refused(param, file.string() + " is not a PEM file");
  if (allowed == readers::owner && (status.st_mode & 077) != 0)
    return refused(param, "the key file " + file.string() + " is open to others: its mode must be 0600");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const auto got = ::read(opened.value, text.data(), text.size());
  if (got < 0) return failed();
  text.resize(static_cast<std::size_t>(got));
  return text;
}

/// Clients that name protocols must name ours; others speak it anyway.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered, unsigned int bytes,
                    void*) {
  constexpr std::string_view ours = "http/1.1";
  for (unsigned int at = 0; at < bytes && at + offered[at] < bytes; at += offered[at] + 1U) {
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != ours) continue;
    *chosen = offered + at + 1;
    *chosen_bytes = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void restrict(ssl::context& context) {
  auto* const native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_security_level(native, security_level);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets resume sessions without memory of ours.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  // A key with a pass phrase is refused: OpenSSL would ask for it at the terminal.
  error_code ignored;
  context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ignored);
}

bool is_mismatch(const error_code& error) {
  const auto reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
  return reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
}

expected<context_ptr> make_context(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  const auto chain = read_file(certificate, certificate_name, readers::anybody);
  if (!chain) return chain.error();
  auto secret = read_file(key, key_name, readers::owner);
  if (!secret) return secret.error();
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  restrict(*context);
  error_code error;
  context->use_certificate_chain(boost::asio::buffer(*chain), error);
  if (error) return refused(certificate_name, certificate.string() + " holds no usable certificate in PEM: " + error.message());
  context->use_private_key(boost::asio::buffer(*secret), ssl::context::pem, error);
  OPENSSL_cleanse(secret->data(), secret->size());
  if (error && is_mismatch(error)) return refused(key_name, "the key in " + key.string() + " is not that of " + certificate.string());
  if (error) return refused(key_name, key.string() + " holds no usable key in PEM without a pass phrase: " + error.message());
  return context;
}

}  // namespace

tls_identity::tls_identity(std::filesystem::path certificate, std::filesystem::path key)
    : certificate_(std::move(certificate)), key_(std::move(key)) {}

expected<std::shared_ptr<tls_identity>> tls_identity::load(std::filesystem::path certificate, std::filesystem::path key) {
  std::shared_ptr<tls_identity> made(new tls_identity(std::move(certificate), std::move(key)));
  if (const auto loaded = made->reload(); !loaded) return loaded.error();
  return made;
}

std::shared_ptr<ssl::context> tls_identity::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

expected<bool> tls_identity::reload() {
  auto fresh = make_context(certificate_, key_);
  if (!fresh) return fresh.error();
  const std::lock_guard lock(mutex_);
  context_ = std::move(*fresh);
  return true;
}

std::string tls_identity::metrics() const {
  return "# HELP troupe_gateway_tls_handshakes_total TLS handshakes, by how they ended.\n"
         "# TYPE troupe_gateway_tls_handshakes_total counter\n"
         "troupe_gateway_tls_handshakes_total{outcome=\"done\"} " +
         std::to_string(done_) + "\ntroupe_gateway_tls_handshakes_total{outcome=\"failed\"} " + std::to_string(failed_) + "\n";
}

}  // namespace troupe::gateway
