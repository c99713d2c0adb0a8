#include "engine/store/stored_response.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <kj/io.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "messages/base/limits.hpp"
#include "schema/stored.capnp.h"

namespace troupe::store {
namespace {

constexpr std::uint16_t version = 1;

std::vector<std::byte> bytes_of(capnp::MessageBuilder& message) {
  std::vector<std::byte> bytes(capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word));
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()), bytes.size()));
  capnp::writeMessage(out, message);
  return bytes;
}

/// Calls `read` with the root of a flat message; false when it is none.
template <class Struct, class Read>
bool decode(std::span<const std::byte> bytes, Read read) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0) return false;
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));  // aligned, which `bytes` need not be
    std::memcpy(words.begin(), bytes.data(), bytes.size());
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size() + 1;
    options.nestingLimit = 4;
    capnp::FlatArrayMessageReader message(words, options);
    read(message.getRoot<Struct>());
    return true;
  } catch (const kj::Exception&) {
    return false;
  }
}

kj::StringPtr text_of(const std::string& text) { return {text.c_str(), text.size()}; }
std::string text_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

std::vector<std::byte> encode(const stored_response& response, bool deleted) {
  capnp::MallocMessageBuilder message;
  auto to = message.initRoot<schema::StoredResponse>();
  to.setVersion(version);
  to.setDeleted(deleted);
  to.setTenant(text_of(response.tenant));
  to.setId(text_of(response.id));
  if (response.previous) to.setPrevious(text_of(response.previous->id));
  to.setSession(text_of(response.session));
  to.setCreatedS(response.created_s);
  to.setInput(text_of(response.input));
  to.setBody(text_of(response.body));
  return bytes_of(message);
}

std::optional<response_record> decode_response(std::span<const std::byte> bytes) {
  response_record record;
  std::uint16_t found = 0;
  const bool intact = decode<schema::StoredResponse>(bytes, [&](schema::StoredResponse::Reader from) {
    found = from.getVersion();
    auto& response = record.response;
    response.tenant = text_of(from.getTenant());
    response.id = text_of(from.getId());
    response.session = text_of(from.getSession());
    response.created_s = from.getCreatedS();
    response.input = text_of(from.getInput());
    response.body = text_of(from.getBody());
    record.previous_id = text_of(from.getPrevious());
    record.deleted = from.getDeleted();
  });
  if (!intact || found != version || record.response.id.empty()) return std::nullopt;
  return record;
}

}  // namespace

stored_response::~stored_response() {
  auto next = std::move(previous);
  while (next && next.use_count() == 1) next = std::move(const_cast<stored_response&>(*next).previous);
}

std::size_t stored_response::bytes() const noexcept {
  return sizeof(stored_response) + tenant.size() + id.size() + session.size() + input.size() + body.size();
}

std::string response_key(std::string_view tenant, std::string_view id) {
  std::string key(tenant);
  return key.append(1, '\0').append(id);
}

std::vector<std::vector<std::byte>> to_records(const stored_response& response, bool deleted) {
  const auto bytes = encode(response, deleted);
  const auto count = (bytes.size() + limits::response_part_bytes - 1) / limits::response_part_bytes;
  std::vector<std::vector<std::byte>> records;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = i * limits::response_part_bytes;
    const auto size = std::min(limits::response_part_bytes, bytes.size() - begin);
    capnp::MallocMessageBuilder message;
    auto part = message.initRoot<schema::StoredResponsePart>();
    part.setIndex(static_cast<std::uint32_t>(i));
    part.setCount(static_cast<std::uint32_t>(count));
    part.setBytes(kj::arrayPtr(reinterpret_cast<const kj::byte*>(bytes.data() + begin), size));
    records.push_back(bytes_of(message));
  }
  return records;
}

std::optional<response_record> response_assembler::add(std::span<const std::byte> record) {
  bool is_last = false;
  const bool intact = decode<schema::StoredResponsePart>(record, [&](schema::StoredResponsePart::Reader part) {
    if (part.getIndex() == 0) {
      bytes_.clear();
      next_ = 0;
    }
    if (part.getIndex() != next_) return;  // what came before it is lost
    ++next_;
    const auto piece = part.getBytes();
    const auto* begin = reinterpret_cast<const std::byte*>(piece.begin());
    bytes_.insert(bytes_.end(), begin, begin + piece.size());
    is_last = next_ == part.getCount();
  });
  if (!intact || !is_last) return std::nullopt;
  next_ = 0;
  return decode_response(std::exchange(bytes_, {}));
}

}  // namespace troupe::store
