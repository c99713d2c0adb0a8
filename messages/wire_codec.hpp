// How a message struct becomes Cap'n Proto bytes and back. Each type has one table of (schema field, member) pairs that serves both
// directions; a member that its table forgets does not compile (messages/wire_table.hpp). Internal to wire*.cpp.
//
// Bytes: one little-endian word, the Cap'n Proto id of the root struct, then a flat array message. The id keeps the bytes of one
// type from being read as another, which Cap'n Proto alone would allow.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "messages/base/ids.hpp"
#include "schema/common.capnp.h"

namespace troupe::wire {

/// Specialised per struct by TROUPE_WIRE: `root` is its schema, encode and decode move its fields.
template <class T>
struct layout;

/// Specialised per enum by TROUPE_WIRE_ENUM: the last enumerator. What lies beyond is refused.
template <class Enum>
inline constexpr std::uint16_t enum_last = Enum::has_no_wire_layout;

/// Converts to whatever enum the schema has.
struct enum_value {
  std::uint16_t value = 0;
  template <class Enum>
  requires std::is_enum_v<Enum>
  operator Enum() const { return static_cast<Enum>(value); }
};

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_strong_id = false;
template <class Tag, class Value>
inline constexpr bool is_strong_id<strong_id<Tag, Value>> = true;

inline capnp::Text::Reader as_text(const std::string& text) { return {text.c_str(), text.size()}; }

/// Writes one field. `set(to, v)` and `init(to, n...)` call the schema's setter and initialiser; empty texts and lists stay null.
template <class Builder, class T, class Set, class Init>
void put(Builder& to, const T& value, Set set, Init init) {
  if constexpr (is_strong_id<T>) {
    put(to, value.value, set, init);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.empty()) set(to, as_text(value));
  } else if constexpr (std::is_enum_v<T>) {
    set(to, enum_value{static_cast<std::uint16_t>(value)});
  } else if constexpr (std::is_arithmetic_v<T>) {
    set(to, value);
  } else if constexpr (is_vector<T>) {
    if (value.empty()) return;
    auto list = init(to, static_cast<unsigned>(value.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
      if constexpr (std::is_same_v<typename T::value_type, std::string>)
        list.set(i, as_text(value[i]));
      else if constexpr (std::is_arithmetic_v<typename T::value_type>)
        list.set(i, value[i]);
      else
        layout<typename T::value_type>::encode(list[i], value[i]);
    }
  } else {
    layout<T>::encode(init(to), value);
  }
}

/// Reads one field. Throws what Cap'n Proto throws, and std::out_of_range for an enumerator that is not ours.
template <class From, class T>
void get(From from, T& value) {
  if constexpr (is_strong_id<T>) {
    get(from, value.value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value.assign(from.begin(), from.size());
  } else if constexpr (std::is_enum_v<T>) {
    if (static_cast<std::uint16_t>(from) > enum_last<T>) throw std::out_of_range("enumerator");
    value = static_cast<T>(from);
  } else if constexpr (std::is_arithmetic_v<T>) {
    static_assert(std::is_same_v<From, T>, "the schema's number is of another type than the member's");
    value = from;
  } else if constexpr (is_vector<T>) {
    value.clear();
    value.resize(from.size());
    for (unsigned i = 0; i < from.size(); ++i) get(from[i], value[i]);
  } else {
    layout<T>::decode(from, value);
  }
}

/// The bytes of a finished message under the id of its root struct.
std::vector<std::byte> seal(std::uint64_t root, capnp::MessageBuilder& message);
/// An aligned copy of the message in `bytes`; empty unless they begin with `root` and have a possible length.
kj::Array<capnp::word> unseal(std::uint64_t root, std::span<const std::byte> bytes);
/// Each word may be visited once, and no message of ours nests deeper than eight.
capnp::ReaderOptions reader_options(std::size_t words);

template <class T>
std::vector<std::byte> pack(const T& value) {
  // 64: most messages are smaller than these 512 bytes and need no allocation beyond their bytes.
  capnp::word scratch[64]{};
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, 64));
  using root = typename layout<T>::root;
  layout<T>::encode(message.initRoot<root>(), value);
  return seal(capnp::typeId<root>(), message);
}

template <class T>
bool unpack(std::span<const std::byte> bytes, T& value) {
  using root = typename layout<T>::root;
  try {
    const auto words = unseal(capnp::typeId<root>(), bytes);
    if (words.size() == 0) return false;
    capnp::FlatArrayMessageReader message(words, reader_options(words.size()));
    if (message.getEnd() != words.end()) return false;
    layout<T>::decode(message.getRoot<root>(), value);
    return true;
  } catch (const kj::Exception&) {
    return false;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace troupe::wire
