// The wire format by itself, with no actors: every type there and back, and nothing else accepted.
#include "messages/wire.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <span>

#include "test/messages/samples.hpp"

using namespace troupe;

namespace {

using bytes = std::vector<std::byte>;

template <class T>
void check_round_trip(const T& value) {
  const auto wire = to_wire(value);
  T back = samples::make<T>(999);  // what was there before must not shine through
  REQUIRE(from_wire(wire, back));
  CHECK(back == value);
  CHECK(to_wire(back) == wire);

  bytes shifted(wire.size() + 1);
  std::copy(wire.begin(), wire.end(), shifted.begin() + 1);
  T unaligned{};
  REQUIRE(from_wire(std::span(shifted).subspan(1), unaligned));
  CHECK(unaligned == value);
}

template <class T>
void check_truncations() {
  auto wire = to_wire(samples::make<T>());
  T value{};
  for (std::size_t size = 0; size < wire.size(); ++size) CHECK_FALSE(from_wire(std::span(wire).first(size), value));
  wire.resize(wire.size() + 8);
  CHECK_FALSE(from_wire(wire, value));
}

/// Whatever decodes must be a value that encodes again; the rest must be refused, without a crash or a large allocation.
template <class T>
void check_survives(const bytes& wire) {
  T value{};
  if (!from_wire(wire, value)) return;
  T again{};
  REQUIRE(from_wire(to_wire(value), again));
  CHECK(to_wire(again) == to_wire(value));  // bytes, since a flipped bit may have made a NaN
}

template <class T>
void check_bit_flips(std::uint64_t seed) {
  const auto wire = to_wire(samples::make<T>(seed));
  for (std::size_t bit = 0; bit < wire.size() * 8; ++bit) {
    auto damaged = wire;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    if (bit < 64) {  // the type's id
      T value{};
      CHECK_FALSE(from_wire(damaged, value));
    }
    check_survives<T>(damaged);
  }
  samples::random_source random(seed);
  for (int round = 0; round < 300; ++round) {
    auto damaged = wire;
    for (auto flips = 1 + random() % 16; flips > 0; --flips)
      damaged[8 + random() % (damaged.size() - 8)] = static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
    INFO("seed " << seed << ", round " << round);
    check_survives<T>(damaged);
  }
}

template <class T>
void check_refuses_all_but_itself(const std::vector<bytes>& all) {
  const auto own = to_wire(samples::make<T>());
  for (const auto& wire : all) {
    T value{};
    CHECK(from_wire(wire, value) == (wire == own));
  }
}

void put_word(bytes& to, std::uint64_t word) {
  for (int i = 0; i < 8; ++i) to.push_back(static_cast<std::byte>(word >> (8 * i)));
}

}  // namespace

TEST_CASE("every message comes back field by field, full and empty"){
#define TROUPE_CHECK(type)                                                                       \
  {                                                                                              \
    CAPTURE(#type);                                                                              \
    check_round_trip(type{});                                                                    \
    for (std::uint64_t seed = 1; seed <= 8; ++seed) check_round_trip(samples::make<type>(seed)); \
  }
    TROUPE_MESSAGE_TYPES(TROUPE_CHECK)
#undef TROUPE_CHECK
}

TEST_CASE("a sample differs from the default in its fields") {
  CHECK_FALSE(samples::make<turn_request>() == turn_request{});
  const auto info = samples::make<session_info>();
  CHECK_FALSE(info.id.value.empty());
  CHECK_FALSE(info.paused_on.empty());
  CHECK(info.state != session_state::idle);
  CHECK(info.used_ms != 0);
}

TEST_CASE("every enumerator crosses and one beyond the last is refused") {
  for (std::size_t i = 0; i < errc_count; ++i) check_round_trip(turn_cancel{{7}, static_cast<errc>(i)});
  for (int i = 0; i <= static_cast<int>(verb_kind::release); ++i) {
    auto verb = samples::make<session_verb>();
    verb.what = static_cast<verb_kind>(i);
    check_round_trip(verb);
  }
  turn_cancel value;
  CHECK_FALSE(from_wire(to_wire(turn_cancel{{7}, static_cast<errc>(errc_count)}), value));
  auto verb = samples::make<session_verb>();
  verb.what = static_cast<verb_kind>(10);
  CHECK_FALSE(from_wire(to_wire(verb), verb));
}

TEST_CASE("a message cut at any length, or with a word too many, is refused"){
#define TROUPE_CHECK(type)     \
  {                            \
    CAPTURE(#type);            \
    check_truncations<type>(); \
  }
    TROUPE_MESSAGE_TYPES(TROUPE_CHECK)
#undef TROUPE_CHECK
}

TEST_CASE("flipped bits and random bytes are refused or decode to something that encodes"){
#define TROUPE_CHECK(type)    \
  {                           \
    CAPTURE(#type);           \
    check_bit_flips<type>(2); \
  }
    TROUPE_MESSAGE_TYPES(TROUPE_CHECK)
#undef TROUPE_CHECK
}

TEST_CASE("the bytes of one type are never read as another") {
  std::vector<bytes> all;
#define TROUPE_ADD(type) all.push_back(to_wire(samples::make<type>()));
  TROUPE_MESSAGE_TYPES(TROUPE_ADD)
#undef TROUPE_ADD
#define TROUPE_CHECK(type)                   \
  {                                          \
    CAPTURE(#type);                          \
    check_refuses_all_but_itself<type>(all); \
  }
  TROUPE_MESSAGE_TYPES(TROUPE_CHECK)
#undef TROUPE_CHECK
}

TEST_CASE("a list that claims millions of empty elements is refused before they are made") {
  const auto id = to_wire(session_listing{});
  bytes wire(id.begin(), id.begin() + 8);
  put_word(wire, std::uint64_t{3} << 32);              // one segment of three words
  put_word(wire, std::uint64_t{1} << 48);              // root: no data, one pointer
  put_word(wire, 1 | (std::uint64_t{7} << 32));        // a list of structs, no words long
  put_word(wire, std::uint64_t{(1U << 29) - 1} << 2);  // 2^29 - 1 elements of no size
  session_listing value;
  CHECK_FALSE(from_wire(wire, value));
}

TEST_CASE("long prompts and chains cross within the traversal limit") {
  admit_request request = samples::make<admit_request>();
  request.tokens.assign(500'000, 77);
  request.chain.assign(15'625, core::block_identity{{1, 2}, 3});
  check_round_trip(request);
  turn_request turn = samples::make<turn_request>();
  turn.prompt.messages.assign(2'000, samples::make<chat_message>());
  turn.prompt.text.assign(3'000'000, 'x');
  check_round_trip(turn);
}
