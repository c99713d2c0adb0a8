// A tokenizer for tests of what comes after it: a list of byte strings, some of them special. It encodes nothing.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/tokenizer.hpp"

namespace troupe::text {

class listed_tokenizer : public tokenizer {
 public:
  struct entry {
    std::string bytes;
    bool special = false;
  };
  explicit listed_tokenizer(std::vector<entry> entries, bool strips = false) : entries_(std::move(entries)), strips_(strips) {}

  /// One ordinary token per string.
  static std::shared_ptr<const listed_tokenizer> of(const std::vector<std::string>& texts, bool strips = false) {
    std::vector<entry> entries;
    for (const auto& text : texts) entries.push_back({text, false});
    return std::make_shared<listed_tokenizer>(std::move(entries), strips);
  }

  [[nodiscard]] std::vector<token_id> encode(std::string_view, encode_options) const override { return {}; }
  [[nodiscard]] std::string decode(const std::vector<token_id>& tokens, decode_options options) const override {
    std::string all;
    for (const auto token : tokens) {
      if (!options.skip_special_tokens || !is_special(token)) all += token_bytes(token);
    }
    return all;
  }
  [[nodiscard]] std::string token_bytes(token_id token) const override { return known(token) ? at(token).bytes : std::string(); }
  [[nodiscard]] bool strips_leading_space() const noexcept override { return strips_; }
  [[nodiscard]] std::uint32_t size() const noexcept override { return static_cast<std::uint32_t>(entries_.size()); }
  [[nodiscard]] bool is_special(token_id token) const noexcept override { return known(token) && at(token).special; }
  [[nodiscard]] std::optional<token_id> find(std::string_view token) const override {
    for (std::size_t index = 0; index < entries_.size(); ++index) {
      if (entries_[index].bytes == token) return static_cast<token_id>(index);
    }
    return std::nullopt;
  }
  [[nodiscard]] std::vector<special_span> find_specials(std::string_view) const override { return {}; }

 private:
  [[nodiscard]] bool known(token_id token) const noexcept { return token >= 0 && static_cast<std::size_t>(token) < entries_.size(); }
  [[nodiscard]] const entry& at(token_id token) const noexcept { return entries_[static_cast<std::size_t>(token)]; }
  std::vector<entry> entries_;
  bool strips_;
};

}  // namespace troupe::text
