#include "engine/store/block_cipher.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "engine/store/file_io.hpp"

namespace troupe::store {
namespace {

constexpr std::size_t aes_block_bytes = 16;
using aes_block = std::array<unsigned char, aes_block_bytes>;

struct free_context {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using context = std::unique_ptr<EVP_CIPHER_CTX, free_context>;

void must(int ok) {
  if (ok != 1) throw std::runtime_error("OpenSSL refused an AES-256 operation");
}

context make_context() {
  context made(EVP_CIPHER_CTX_new());
  must(made != nullptr);
  return made;
}

unsigned char* as_chars(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* as_chars(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }

/// Multiplies by x in GF(2^128), as CMAC derives its subkey from the encryption of zero.
aes_block doubled(const aes_block& value) {
  aes_block result{};
  for (std::size_t i = 0; i < aes_block_bytes; ++i) {
    const unsigned next = i + 1 < aes_block_bytes ? value[i + 1] >> 7 : 0;
    result[i] = static_cast<unsigned char>(value[i] << 1 | next);
  }
  if (value[0] >> 7) result[aes_block_bytes - 1] ^= 0x87;
  return result;
}

using step = int (*)(EVP_CIPHER_CTX*, unsigned char*, int*, const unsigned char*, int);

bool run(step update, EVP_CIPHER_CTX* gcm, std::span<const std::byte> authenticated, std::span<const block_cipher::part> parts) {
  int count = 0;
  if (update(gcm, nullptr, &count, as_chars(authenticated.data()), static_cast<int>(authenticated.size())) != 1) return false;
  for (const auto& [from, to] : parts)
    if (!from.empty() && update(gcm, as_chars(to.data()), &count, as_chars(from.data()), static_cast<int>(from.size())) != 1) return false;
  return true;
}

}  // namespace

struct block_cipher::state {
  context ecb = make_context();  ///< AES-256 of single blocks under the key, for the derivation
  context gcm = make_context();
  aes_block subkey{};
  std::uint64_t key_id = 0;

  [[nodiscard]] aes_block encrypt(const aes_block& block) const {
    aes_block result{};
    int count = 0;
    must(EVP_EncryptUpdate(ecb.get(), result.data(), &count, block.data(), aes_block_bytes));
    return result;
  }

  /// The counter-mode KDF over CMAC: two messages of one block each, {counter, 'X', 0, nonce[0, 12)}.
  [[nodiscard]] key derive(const nonce& nonce) const {
    key result{};
    for (unsigned char half = 0; half < 2; ++half) {
      aes_block message{0, static_cast<unsigned char>(half + 1), 'X', 0};
      std::memcpy(message.data() + 4, nonce.data(), 12);
      for (std::size_t i = 0; i < aes_block_bytes; ++i) message[i] ^= subkey[i];
      const auto encrypted = encrypt(message);
      std::memcpy(result.data() + half * aes_block_bytes, encrypted.data(), aes_block_bytes);
    }
    return result;
  }
};

block_cipher::block_cipher(const key& secret) : state_(std::make_unique<state>()) {
  must(EVP_EncryptInit_ex(state_->ecb.get(), EVP_aes_256_ecb(), nullptr, secret.data(), nullptr));
  must(EVP_CIPHER_CTX_set_padding(state_->ecb.get(), 0));
  state_->subkey = doubled(state_->encrypt({}));
  std::string text = "troupe stored block key";
  text.append(reinterpret_cast<const char*>(secret.data()), secret.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  must(SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data()) != nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  std::memcpy(&state_->key_id, digest.data(), 8);
  if (state_->key_id == 0) state_->key_id = 1;  // 0 marks a record that is not encrypted
}

block_cipher::~block_cipher() = default;

expected<std::shared_ptr<block_cipher>> block_cipher::from_file(const std::filesystem::path& file) {
  struct descriptor {
    int value;
    ~descriptor() {
      if (value >= 0) ::close(value);
    }
  } const opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (opened.value < 0) return io_failure("open the key file", file);
  struct stat status {};
  if (::fstat(opened.value, &status) != 0) return io_failure("examine the key file", file);
  if (!S_ISREG(status.st_mode) || status.st_size != key_bytes)
    return failure{errc::corrupt_data, file.string() + " is not a key file: it must hold exactly 32 bytes", {}};
  if ((status.st_mode & 077) != 0)
    return failure{errc::invalid_request, "the key file " + file.string() + " is open to others: its mode must be 0600", {}};
  key secret{};
  if (read_at(opened.value, 0, std::as_writable_bytes(std::span(secret))) != key_bytes) return io_failure("read the key file", file);
  auto cipher = std::make_shared<block_cipher>(secret);
  OPENSSL_cleanse(secret.data(), secret.size());
  return cipher;
}

std::uint64_t block_cipher::key_id() const noexcept { return state_->key_id; }

block_cipher::nonce block_cipher::draw_nonce() {
  nonce drawn;
  must(RAND_bytes(drawn.data(), static_cast<int>(drawn.size())));
  return drawn;
}

block_cipher::tag block_cipher::seal(const nonce& nonce, std::span<const std::byte> authenticated, std::span<const part> parts) {
  auto* const gcm = state_->gcm.get();
  auto derived = state_->derive(nonce);
  must(EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), nullptr, derived.data(), nonce.data() + 12));
  OPENSSL_cleanse(derived.data(), derived.size());
  must(run(EVP_EncryptUpdate, gcm, authenticated, parts));
  tag result;
  int count = 0;
  must(EVP_EncryptFinal_ex(gcm, result.data(), &count));
  must(EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_GET_TAG, tag_bytes, result.data()));
  return result;
}

bool block_cipher::open(const nonce& nonce, std::span<const std::byte> authenticated, std::span<const part> parts, const tag& tag) {
  auto* const gcm = state_->gcm.get();
  auto derived = state_->derive(nonce);
  must(EVP_DecryptInit_ex(gcm, EVP_aes_256_gcm(), nullptr, derived.data(), nonce.data() + 12));
  OPENSSL_cleanse(derived.data(), derived.size());
  auto expected_tag = tag;
  int count = 0;
  unsigned char none = 0;
  if (run(EVP_DecryptUpdate, gcm, authenticated, parts) &&
      EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_GCM_SET_TAG, tag_bytes, expected_tag.data()) == 1 && EVP_DecryptFinal_ex(gcm, &none, &count) == 1)
    return true;
  for (const auto& each : parts) std::memset(each.to.data(), 0, each.to.size());
  return false;
}

}  // namespace troupe::store
