// UTF-8, character classes and the byte alphabet of byte-level BPE, as the tokenizer's parts need them. Classes follow Unicode as
// ICU knows it, which is what `tokenizers` uses but for code points assigned after its own tables.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::text {

/// `text` itself when it is valid UTF-8; else `storage`, with each maximal invalid part replaced by U+FFFD.
std::string_view valid_utf8(std::string_view text, std::string& storage);
/// The same in place, but an incomplete code point at the very end stays as it is.
void replace_invalid_but_tail(std::string& bytes);

/// The code point that begins at `at`, which moves behind it. U+FFFD for invalid bytes.
char32_t next_code_point(std::string_view text, std::size_t& at);
/// The code point that ends at `at`, which moves to its beginning.
char32_t previous_code_point(std::string_view text, std::size_t& at);
void append_code_point(std::string& text, char32_t code_point);

bool is_space(char32_t code_point);        ///< White_Space
bool is_word(char32_t code_point);         ///< what \w means
bool is_numeric(char32_t code_point);      ///< Nd, Nl, No
bool is_punctuation(char32_t code_point);  ///< ASCII punctuation, and P* of the Unicode 7 that `tokenizers` has here

/// GPT-2's alphabet: each byte as a printable code point.
const std::array<char32_t, 256>& byte_alphabet();
/// The byte behind a code point of that alphabet.
std::optional<unsigned char> byte_behind(char32_t code_point);
/// The bytes behind `text`, or nothing if a code point of it is not in the alphabet.
std::optional<std::string> bytes_behind(std::string_view text);
/// `bytes` spelled in the alphabet.
std::string spell_bytes(std::string_view bytes);

}  // namespace troupe::text
