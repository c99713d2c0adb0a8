// A value of any message type with every field set, found by reflection: a field that is added later is filled, sent and compared
// without a line here. Equal seeds give equal values.
#pragma once

#include <bit>
#include <boost/pfr.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "messages/types.hpp"

namespace troupe::samples {

using random_source = std::mt19937_64;

inline void fill(std::string& value, random_source& random) {
  value.clear();
  for (auto left = 1 + random() % 24; left > 0; --left) value += static_cast<char>(random());  // any byte, zero included
}

/// Not an aggregate. NaN payloads are random too: they must cross bit for bit.
inline void fill(sampling_wish& value, random_source& random) {
  for (auto* field : {&value.temperature, &value.top_p, &value.min_p, &value.repetition_penalty, &value.presence_penalty})
    *field = static_cast<float>(random() % 1000 + 1) / 7;
  value.frequency_penalty = std::bit_cast<float>(static_cast<std::uint32_t>(0x7fc00000U | (random() & 0xffff)));
  value.top_k = static_cast<std::int32_t>(random() >> 33);
  value.logprobs = static_cast<std::int32_t>(random() % 20);
  value.seed = random();
  value.has_seed = true;
}

template <class T>
void fill(T& value, random_source& random);

template <class T>
void fill(std::vector<T>& value, random_source& random) {
  value.assign(1 + random() % 3, T{});
  for (auto& element : value) fill(element, random);
}

template <class T>
void fill(T& value, random_source& random) {
  if constexpr (std::is_same_v<T, bool>)
    value = random() % 2 == 0;
  else if constexpr (std::is_enum_v<T>)
    value = static_cast<T>(static_cast<unsigned>(value) == 0 ? 1 : 0);
  else if constexpr (std::is_floating_point_v<T>)
    value = static_cast<T>(random() % 1'000'000 + 1) / 3;
  else if constexpr (std::is_arithmetic_v<T>)
    value = static_cast<T>(random() | 1);
  else
    boost::pfr::for_each_field(value, [&random](auto& field) { fill(field, random); });
}

template <class T>
T make(std::uint64_t seed = 1) {
  random_source random(seed);
  T value{};
  fill(value, random);
  return value;
}

}  // namespace troupe::samples
