// How the tables of wire*.cpp are written. TROUPE_WIRE_MESSAGE is used in namespace troupe, the others in namespace troupe::wire.
// A table is a macro that applies its argument to each (schema field, member) pair. Internal to wire*.cpp.
#pragma once

#include <cstddef>
#include <type_traits>

#include "messages/wire_codec.hpp"

namespace troupe::wire {

/// Converts to any member: counts how many an aggregate takes.
template <class Parent>
struct any_member {
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Parent>) operator T() const;
};

template <class T, class... Members>
consteval std::size_t field_count() {
  if constexpr (!std::is_aggregate_v<T>)
    return 0;
  else if constexpr (requires { T{Members{}..., any_member<T>{}}; })
    return field_count<T, Members..., any_member<T>>();
  else
    return sizeof...(Members);
}

}  // namespace troupe::wire

#define TROUPE_WIRE_PUT(Field, member)                                                \
  put(                                                                                \
      to, value.member, [](auto& builder, auto field) { builder.set##Field(field); }, \
      [](auto& builder, auto... count) { return builder.init##Field(count...); });
#define TROUPE_WIRE_GET(Field, member) get(from.get##Field(), value.member);
#define TROUPE_WIRE_ONE(Field, member) +1

/// Where the schema is flatter than the struct, so that the members cannot be counted.
#define TROUPE_WIRE_FLAT(type, Schema, FIELDS)                                                                   \
  template <>                                                                                                    \
  struct layout<type> {                                                                                          \
    using root = schema::Schema;                                                                                 \
    static void encode([[maybe_unused]] auto to, [[maybe_unused]] const type& value) { FIELDS(TROUPE_WIRE_PUT) } \
    static void decode([[maybe_unused]] auto from, [[maybe_unused]] type& value) { FIELDS(TROUPE_WIRE_GET) }     \
  };

#define TROUPE_WIRE(type, Schema, FIELDS)                                                                 \
  static_assert(field_count<type>() == 0 FIELDS(TROUPE_WIRE_ONE), "the table misses a member of " #type); \
  TROUPE_WIRE_FLAT(type, Schema, FIELDS)

/// `last` and `Last` name the same last enumerator on both sides.
#define TROUPE_WIRE_ENUM(type, last, Last)                                                 \
  template <>                                                                              \
  inline constexpr std::uint16_t enum_last<type> = static_cast<std::uint16_t>(type::last); \
  static_assert(enum_last<type> == static_cast<std::uint16_t>(schema::Last), "schema and enum " #type " differ");

#define TROUPE_WIRE_MESSAGE(type)                                                 \
  std::vector<std::byte> to_wire(const type& value) { return wire::pack(value); } \
  bool from_wire(std::span<const std::byte> bytes, type& value) { return wire::unpack(bytes, value); }
