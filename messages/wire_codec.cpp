// The envelope of every message: its type's id and an aligned, bounded Cap'n Proto message. The bytes come from a peer or a file, at any
// alignment.
#include "messages/wire_codec.hpp"

#include <kj/io.h>

#include <cstring>

#include "messages/base/limits.hpp"

namespace troupe::wire {
namespace {

constexpr std::size_t word_bytes = sizeof(capnp::word);

std::uint64_t read_word(const std::byte* from) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < word_bytes; ++i) word |= static_cast<std::uint64_t>(from[i]) << (8 * i);
  return word;
}

void write_word(std::byte* to, std::uint64_t word) {
  for (std::size_t i = 0; i < word_bytes; ++i) to[i] = static_cast<std::byte>(word >> (8 * i));
}

}  // namespace

std::vector<std::byte> seal(std::uint64_t root, capnp::MessageBuilder& message) {
  const auto message_bytes = capnp::computeSerializedSizeInWords(message) * word_bytes;
  std::vector<std::byte> bytes(word_bytes + message_bytes);
  write_word(bytes.data(), root);
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()) + word_bytes, message_bytes));
  capnp::writeMessage(out, message);
  return bytes;
}

kj::Array<capnp::word> unseal(std::uint64_t root, std::span<const std::byte> bytes) {
  if (bytes.size() < 2 * word_bytes || bytes.size() % word_bytes != 0 || bytes.size() > limits::message_bytes_max) return {};
  if (read_word(bytes.data()) != root) return {};
  auto words = kj::heapArray<capnp::word>(bytes.size() / word_bytes - 1);
  std::memcpy(words.begin(), bytes.data() + word_bytes, words.size() * word_bytes);
  return words;
}

capnp::ReaderOptions reader_options(std::size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = words;
  options.nestingLimit = 8;
  return options;
}

}  // namespace troupe::wire
