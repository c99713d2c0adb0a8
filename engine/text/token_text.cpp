#include "engine/text/token_text.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace troupe::text {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Where the first invalid part begins at or behind `at`, and where it ends; {size, size} when there is none.
struct invalid_part {
  std::size_t begin, end;
};
invalid_part find_invalid(std::string_view text, std::size_t at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  auto i = static_cast<std::int64_t>(at);
  while (i < size) {
    const auto begin = i;
    UChar32 c = 0;
    U8_NEXT(bytes, i, size, c);
    if (c < 0) return {static_cast<std::size_t>(begin), static_cast<std::size_t>(i)};
  }
  return {text.size(), text.size()};
}

/// Whether an invalid part at the end of the text is a code point whose last bytes are missing.
bool is_incomplete(std::string_view part) {
  const auto lead = static_cast<std::uint8_t>(part[0]);
  return U8_IS_LEAD(lead) && static_cast<std::size_t>(U8_COUNT_TRAIL_BYTES(lead)) >= part.size();
}

}  // namespace

std::string_view valid_utf8(std::string_view text, std::string& storage) {
  auto bad = find_invalid(text, 0);
  if (bad.begin == text.size()) return text;
  storage.clear();
  std::size_t from = 0;
  for (; bad.begin < text.size(); bad = find_invalid(text, from)) {
    storage.append(text.substr(from, bad.begin - from)).append(replacement);
    from = bad.end;
  }
  storage.append(text.substr(from));
  return storage;
}

void replace_invalid_but_tail(std::string& bytes) {
  std::string storage;
  std::size_t from = 0;
  for (auto bad = find_invalid(bytes, 0); bad.begin < bytes.size(); bad = find_invalid(bytes, from)) {
    const auto part = std::string_view(bytes).substr(bad.begin, bad.end - bad.begin);
    if (bad.end == bytes.size() && is_incomplete(part)) break;
    storage.append(bytes, from, bad.begin - from).append(replacement);
    from = bad.end;
  }
  if (from > 0) bytes = storage.append(bytes, from);
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  auto i = static_cast<std::int64_t>(at);
  UChar32 c = 0;
  U8_NEXT_OR_FFFD(bytes, i, static_cast<std::int64_t>(text.size()), c);
  at = static_cast<std::size_t>(i);
  return static_cast<char32_t>(c);
}

char32_t previous_code_point(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  auto i = static_cast<std::int32_t>(at < 4 ? at : 4);  // U8_PREV counts in 32 bits: show it the last four bytes only
  const auto* window = bytes + at - i;
  const auto before = i;
  UChar32 c = 0;
  U8_PREV_OR_FFFD(window, 0, i, c);
  at -= static_cast<std::size_t>(before - i);
  return static_cast<char32_t>(c);
}

void append_code_point(std::string& text, char32_t code_point) {
  std::array<char, 4> bytes{};
  std::size_t size = 0;
  U8_APPEND_UNSAFE(bytes.data(), size, static_cast<UChar32>(code_point));
  text.append(bytes.data(), size);
}

bool is_space(char32_t code_point) { return u_isUWhiteSpace(static_cast<UChar32>(code_point)) != 0; }

bool is_word(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  if (c < 0x80) return u_isalnum(c) != 0 || c == '_';
  return u_isUAlphabetic(c) != 0 || (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) != 0;
}

bool is_numeric(char32_t code_point) { return (U_GET_GC_MASK(static_cast<UChar32>(code_point)) & U_GC_N_MASK) != 0; }

bool is_punctuation(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  if (c < 0x80) return c > 0x20 && c < 0x7F && u_isalnum(c) == 0;
  UVersionInfo age{};
  u_charAge(c, age);
  return age[0] <= 7 && (U_GET_GC_MASK(c) & U_GC_P_MASK) != 0;
}

const std::array<char32_t, 256>& byte_alphabet() {
  static const auto table = [] {
    std::array<char32_t, 256> made{};
    char32_t spare = 256;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      made[byte] = printable ? byte : spare++;
    }
    return made;
  }();
  return table;
}

std::optional<unsigned char> byte_behind(char32_t code_point) {
  static const auto table = [] {
    std::array<std::int16_t, 512> made{};
    made.fill(-1);
    for (std::int16_t byte = 0; byte < 256; ++byte) made[byte_alphabet()[static_cast<std::size_t>(byte)]] = byte;
    return made;
  }();
  if (code_point >= table.size() || table[code_point] < 0) return std::nullopt;
  return static_cast<unsigned char>(table[code_point]);
}

std::optional<std::string> bytes_behind(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = byte_behind(next_code_point(text, at));
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
  }
  return bytes;
}

std::string spell_bytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_code_point(text, byte_alphabet()[static_cast<unsigned char>(byte)]);
  return text;
}

}  // namespace troupe::text
