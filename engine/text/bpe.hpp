// Byte pair encoding of one word. Most words are a token of the vocabulary that merging would arrive at: which ones is worked
// out while loading, so encoding needs no cache and no lock. Long words are cut where no merge can reach across.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/bpe_table.hpp"
#include "engine/text/token_json.hpp"
#include "messages/base/ids.hpp"

namespace troupe::text {

class bpe {
 public:
  /// Reads the `model` of a tokenizer.json; `reads_bytes`: words are raw bytes that stand for GPT-2's alphabet. Fails with load_error.
  bpe(const json_node& model, bool reads_bytes);

  /// Buffers that one caller keeps from word to word.
  struct scratch {
    std::vector<token_id> symbols;
    std::vector<std::uint32_t> ranks;
  };
  void encode(std::string_view word, std::vector<token_id>& out, scratch& buffers) const;

  [[nodiscard]] std::optional<token_id> find(std::string_view text) const;
  /// By id; empty where the vocabulary has a hole.
  [[nodiscard]] const std::vector<std::string>& texts() const noexcept { return texts_; }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct word_entry {
    token_id id = 0;
    bool whole = false;  ///< encoding the word gives this token alone
  };
  using word_map = std::unordered_map<std::string, word_entry, text_hash, std::equal_to<>>;

  void load_vocabulary(const json_node& vocabulary);
  void load_merges(const json_node& merges);
  void load_symbols();
  void load_reach();
  void load_whole_words(bool ignore_merges);

  [[nodiscard]] std::vector<token_id> fallback(std::string_view character) const;
  [[nodiscard]] token_id symbol_of(char32_t code_point) const;
  void split(std::string_view word, std::vector<token_id>& symbols) const;
  void merge(std::vector<token_id>& symbols, std::size_t begin, std::size_t end, std::vector<token_id>& out, scratch& buffers) const;
  void merge_short(token_id* symbols, std::size_t count, std::vector<token_id>& out, scratch& buffers) const;
  void merge_long(token_id* symbols, std::size_t count, std::vector<token_id>& out) const;

  bool reads_bytes_;
  bool byte_fallback_ = false;
  bool fuse_unknown_ = false;
  token_id unknown_ = -1;  ///< -1: unknown characters vanish
  std::vector<std::string> texts_;
  std::unordered_map<std::string, token_id, text_hash, std::equal_to<>> ids_;
  word_map words_;  ///< keyed by what a word reads: bytes or characters
  std::size_t word_bytes_max_ = 0;
  merge_table merges_;
  pair_set reach_;                            ///< neighbours inside some merged token
  bool cuts_ = false;                         ///< reach_ is complete
  std::array<token_id, 256> byte_symbols_{};  ///< -1: unknown
  std::vector<token_id> near_symbols_;        ///< of the basic plane; -1: unknown
  std::unordered_map<char32_t, token_id> far_symbols_;
};

}  // namespace troupe::text
