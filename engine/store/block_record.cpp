#include "engine/store/block_record.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <kj/io.h>

#include <array>
#include <cstring>

#include "messages/base/limits.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::store {
namespace {

constexpr std::uint32_t version = 1, flag_encrypted = 1;
constexpr std::size_t at_version = 8, at_flags = 12, at_header_bytes = 16, at_token_bytes = 20, at_payload_bytes = 24, at_payload_hash = 32,
                      at_nonce = 48, at_tag = 72, at_checksum = 88;
constexpr std::size_t fixed_prefix_bytes = at_payload_hash;  // magic to lengths: what a cipher authenticates of the prefix
constexpr char magic[] = "troupebk";

template <class Number>
Number read_number(std::span<const std::byte> bytes, std::size_t at) {
  Number number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

template <class Number>
void write_number(std::span<std::byte> bytes, std::size_t at, Number number) {
  std::memcpy(bytes.data() + at, &number, sizeof number);
}

std::uint64_t front_checksum(std::span<const std::byte> front, record_place place) {
  const auto prefix = XXH3_64bits_withSeed(front.data(), at_checksum, place.value);
  return XXH3_64bits_withSeed(front.data() + record_prefix_bytes, front.size() - record_prefix_bytes, prefix);
}

std::vector<std::byte> header_of(const stored_block& block, std::uint64_t key_id) {
  capnp::word scratch[32]{};
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, 32));
  write_header(message.initRoot<schema::StoredHeader>(), block, key_id);
  std::vector<std::byte> bytes(capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word));
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()), bytes.size()));
  capnp::writeMessage(out, message);
  return bytes;
}

bool decode_header(std::span<const std::byte> bytes, stored_block& block, std::uint64_t& key_id) {
  if (bytes.size() % sizeof(capnp::word) != 0) return false;
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));  // aligned, which `bytes` need not be
    std::memcpy(words.begin(), bytes.data(), bytes.size());
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size();
    options.nestingLimit = 4;
    capnp::FlatArrayMessageReader message(words, options);
    key_id = read_header(message.getRoot<schema::StoredHeader>(), block);
    return true;
  } catch (const kj::Exception&) {
    return false;
  }
}

/// Lengths and kinds that a front may claim.
bool is_possible(std::span<const std::byte> prefix) {
  const auto header = read_number<std::uint32_t>(prefix, at_header_bytes), tokens = read_number<std::uint32_t>(prefix, at_token_bytes);
  const auto payload = read_number<std::uint64_t>(prefix, at_payload_bytes);
  return std::memcmp(prefix.data(), magic, 8) == 0 && read_number<std::uint32_t>(prefix, at_version) == version &&
         read_number<std::uint32_t>(prefix, at_flags) <= flag_encrypted && header <= (8 << 10) && header % sizeof(capnp::word) == 0 &&
         tokens <= limits::stored_tokens_max * sizeof(token_id) && tokens % sizeof(token_id) == 0 && payload > 0 &&
         payload <= limits::stored_payload_bytes_max;
}

void copy_tokens(std::span<const std::byte> from, std::vector<token_id>& to) {
  to.resize(from.size() / sizeof(token_id));
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

bool is_same_but_tokens(const stored_block& a, const stored_block& b) {
  return a.block == b.block && a.parent == b.parent && a.layout == b.layout && a.scope == b.scope;
}

/// What a cipher authenticates besides what it encrypts: kinds and lengths, then the header.
std::vector<std::byte> authenticated_part(std::span<const std::byte> front, std::size_t header_bytes) {
  std::vector<std::byte> bytes(fixed_prefix_bytes + header_bytes);
  std::memcpy(bytes.data(), front.data(), fixed_prefix_bytes);
  std::memcpy(bytes.data() + fixed_prefix_bytes, front.data() + record_prefix_bytes, header_bytes);
  return bytes;
}

}  // namespace

void write_header(schema::StoredHeader::Builder to, const stored_block& block, std::uint64_t key_id) {
  to.setHashLow(block.block.hash.low);
  to.setHashHigh(block.block.hash.high);
  to.setSymbol(block.block.symbol);
  to.setParentLow(block.parent.low);
  to.setParentHigh(block.parent.high);
  to.setLayout(block.layout.value);
  to.setScope(block.scope.value);
  to.setKeyId(key_id);
  to.setExpiresMs(block.retention.expires);
  to.setRole(block.retention.role);
  to.setPriority(block.retention.priority);
}

std::uint64_t read_header(schema::StoredHeader::Reader from, stored_block& block) {
  block.block = {{from.getHashLow(), from.getHashHigh()}, from.getSymbol()};
  block.parent = {from.getParentLow(), from.getParentHigh()};
  block.layout = {from.getLayout()};
  block.scope = {from.getScope()};
  block.retention = {from.getRole(), from.getPriority(), from.getExpiresMs()};
  return from.getKeyId();
}

std::optional<std::size_t> front_length(std::span<const std::byte> prefix) {
  if (prefix.size() < record_prefix_bytes || !is_possible(prefix)) return std::nullopt;
  return record_prefix_bytes + read_number<std::uint32_t>(prefix, at_header_bytes) + read_number<std::uint32_t>(prefix, at_token_bytes);
}

std::optional<record_front> read_front(std::span<const std::byte> bytes, record_place place) {
  const auto length = front_length(bytes);
  if (!length || *length != bytes.size()) return std::nullopt;
  if (front_checksum(bytes, place) != read_number<std::uint64_t>(bytes, at_checksum)) return std::nullopt;
  record_front front;
  front.header_bytes = read_number<std::uint32_t>(bytes, at_header_bytes);
  front.token_bytes = read_number<std::uint32_t>(bytes, at_token_bytes);
  front.payload_bytes = read_number<std::uint64_t>(bytes, at_payload_bytes);
  if (!decode_header(bytes.subspan(record_prefix_bytes, front.header_bytes), front.block, front.key_id)) return std::nullopt;
  const bool encrypted = read_number<std::uint32_t>(bytes, at_flags) == flag_encrypted;
  if (encrypted != (front.key_id != 0)) return std::nullopt;
  if (!encrypted) copy_tokens(bytes.subspan(record_prefix_bytes + front.header_bytes), front.block.tokens);
  return front;
}

void move_front(std::span<std::byte> front, record_place to) { write_number(front, at_checksum, front_checksum(front, to)); }

bool is_payload_intact(std::span<const std::byte> front, std::span<const std::byte> payload) {
  const auto hash = XXH3_128bits(payload.data(), payload.size());
  return hash.low64 == read_number<std::uint64_t>(front, at_payload_hash) &&
         hash.high64 == read_number<std::uint64_t>(front, at_payload_hash + 8);
}

std::size_t record_codec::front_bytes(const stored_block& block) {
  static const std::size_t header_bytes = header_of({}, 0).size();  // the header has no part of variable length
  return record_prefix_bytes + header_bytes + block.tokens.size() * sizeof(token_id);
}

std::vector<std::byte> record_codec::seal(const stored_block& block, std::span<const std::byte> payload, std::span<std::byte> encrypted,
                                          record_place place) {
  const auto header = header_of(block, key_id());
  const auto tokens = std::as_bytes(std::span(block.tokens));
  std::vector<std::byte> front(record_prefix_bytes + header.size() + tokens.size());
  std::memcpy(front.data(), magic, 8);
  write_number(std::span(front), at_version, version);
  write_number(std::span(front), at_flags, cipher_ ? flag_encrypted : 0);
  write_number(std::span(front), at_header_bytes, static_cast<std::uint32_t>(header.size()));
  write_number(std::span(front), at_token_bytes, static_cast<std::uint32_t>(tokens.size()));
  write_number(std::span(front), at_payload_bytes, static_cast<std::uint64_t>(payload.size()));
  std::memcpy(front.data() + record_prefix_bytes, header.data(), header.size());
  const auto stored_tokens = std::span(front).subspan(record_prefix_bytes + header.size());
  if (cipher_) {
    const auto nonce = block_cipher::draw_nonce();
    const std::array<block_cipher::part, 2> parts{{{tokens, stored_tokens}, {payload, encrypted}}};
    const auto tag = cipher_->seal(nonce, authenticated_part(front, header.size()), parts);
    std::memcpy(front.data() + at_nonce, nonce.data(), nonce.size());
    std::memcpy(front.data() + at_tag, tag.data(), tag.size());
    payload = encrypted;
  } else if (!tokens.empty()) {
    std::memcpy(stored_tokens.data(), tokens.data(), tokens.size());
  }
  const auto hash = XXH3_128bits(payload.data(), payload.size());
  write_number(std::span(front), at_payload_hash, hash.low64);
  write_number(std::span(front), at_payload_hash + 8, hash.high64);
  move_front(front, place);
  return front;
}

store_result record_codec::open(std::span<const std::byte> front, record_place place, std::span<const std::byte> payload,
                                const stored_block& wanted, std::span<std::byte> destination, stored_retention& retention) {
  auto found = read_front(front, place);
  if (!found) return store_result::corrupt;
  if (!is_same_but_tokens(found->block, wanted) || found->key_id != key_id() || found->payload_bytes != destination.size())
    return store_result::mismatched;
  if (payload.size() != destination.size()) return store_result::corrupt;
  if (cipher_) {  // the tag is the stronger check: the payload's hash need not be looked at
    block_cipher::nonce nonce;
    block_cipher::tag tag;
    std::memcpy(nonce.data(), front.data() + at_nonce, nonce.size());
    std::memcpy(tag.data(), front.data() + at_tag, tag.size());
    found->block.tokens.resize(found->token_bytes / sizeof(token_id));
    const auto tokens = std::as_writable_bytes(std::span(found->block.tokens));
    const std::array<block_cipher::part, 2> parts{
        {{front.subspan(record_prefix_bytes + found->header_bytes), tokens}, {payload, destination}}};
    if (!cipher_->open(nonce, authenticated_part(front, found->header_bytes), parts, tag)) return store_result::corrupt;
  } else if (!is_payload_intact(front, payload)) {
    return store_result::corrupt;
  }
  if (found->block.tokens != wanted.tokens) return store_result::mismatched;
  if (!cipher_ && destination.data() != payload.data()) std::memcpy(destination.data(), payload.data(), payload.size());
  retention = found->block.retention;
  return store_result::loaded;
}

}  // namespace troupe::store
