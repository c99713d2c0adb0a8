#include "engine/store/text_seal.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cstring>
#include <fstream>
#include <vector>

namespace troupe::store {
namespace {

constexpr std::byte version{1};
constexpr std::string_view purpose = "troupe text seal 1\n";
constexpr std::size_t head_bytes = 1 + block_cipher::nonce_bytes + block_cipher::tag_bytes;

std::span<const std::byte> bytes_of(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

std::string to_base64(std::span<const std::byte> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // one more for the NUL that OpenSSL writes
  const auto length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                      static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > (std::size_t{1} << 30)) return std::nullopt;
  std::vector<std::byte> bytes(text.size() / 4 * 3);
  const auto length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  // OpenSSL counts the padding as bytes.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

}  // namespace

expected<std::shared_ptr<text_seal>> text_seal::from_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return failure{errc::io_failed, "cannot read " + file.string(), {}};
  std::array<char, block_cipher::key_bytes> secret{};
  in.read(secret.data(), secret.size());
  if (in.gcount() != static_cast<std::streamsize>(secret.size()))
    return failure{errc::corrupt_data, file.string() + " holds no key of 32 bytes", {}};
  std::string seed(purpose);
  seed.append(secret.data(), secret.size());
  block_cipher::key key;
  SHA256(reinterpret_cast<const unsigned char*>(seed.data()), seed.size(), key.data());
  return std::make_shared<text_seal>(key);
}

text_seal::text_seal(const block_cipher::key& secret) : cipher_(secret) {}

std::string text_seal::seal(std::string_view text, std::string_view bound_to) {
  std::vector<std::byte> bytes(head_bytes + text.size());
  const auto nonce = block_cipher::draw_nonce();
  const block_cipher::part parts[] = {{bytes_of(text), std::span(bytes).subspan(head_bytes)}};
  block_cipher::tag tag;
  {
    const std::lock_guard lock(mutex_);
    tag = cipher_.seal(nonce, bytes_of(bound_to), parts);
  }
  bytes[0] = version;
  std::memcpy(bytes.data() + 1, nonce.data(), nonce.size());
  std::memcpy(bytes.data() + 1 + nonce.size(), tag.data(), tag.size());
  return to_base64(bytes);
}

std::optional<std::string> text_seal::open(std::string_view sealed, std::string_view bound_to) {
  const auto bytes = from_base64(sealed);
  if (!bytes || bytes->size() < head_bytes || bytes->front() != version) return std::nullopt;
  block_cipher::nonce nonce;
  block_cipher::tag tag;
  std::memcpy(nonce.data(), bytes->data() + 1, nonce.size());
  std::memcpy(tag.data(), bytes->data() + 1 + nonce.size(), tag.size());
  std::string text(bytes->size() - head_bytes, '\0');
  const block_cipher::part parts[] = {{std::span(*bytes).subspan(head_bytes), std::as_writable_bytes(std::span(text))}};
  const std::lock_guard lock(mutex_);
  if (!cipher_.open(nonce, bytes_of(bound_to), parts, tag)) return std::nullopt;
  return text;
}

}  // namespace troupe::store
