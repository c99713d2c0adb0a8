// The tokenizer that tokenizer.cpp loads: added tokens, normalizer, pre-tokenizer, BPE, post-processor and decoder in a row.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/text/added_tokens.hpp"
#include "engine/text/bpe.hpp"
#include "engine/text/decoder.hpp"
#include "engine/text/normalizer.hpp"
#include "engine/text/pre_tokenizer.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::text {

class bpe_tokenizer final : public tokenizer {
 public:
  /// Fails with load_error.
  explicit bpe_tokenizer(const json_node& file);

  std::vector<token_id> encode(std::string_view text, encode_options options) const override;
  std::string decode(const std::vector<token_id>& tokens, decode_options options) const override;
  std::string token_bytes(token_id token) const override;
  std::size_t token_size(token_id token) const override;
  bool strips_leading_space() const noexcept override { return decoder_.strips_leading_space(); }
  std::uint32_t size() const noexcept override { return static_cast<std::uint32_t>(texts_.size()); }
  bool is_special(token_id token) const noexcept override;
  std::optional<token_id> find(std::string_view token) const override;
  std::vector<special_span> find_specials(std::string_view text) const override;
  special_frame frame() const override { return frame_; }

 private:
  void load_added(const json_node& file);
  void load_frame(const json_node& node);
  void add_template(const json_node& node);
  void encode_between(std::string_view text, bool begins_input, bool parse_special, std::vector<token_id>& out) const;
  [[nodiscard]] bool is_known(token_id token) const noexcept;
  [[nodiscard]] bool may_cut_before(const added_token& token) const;

  normalizer normalizer_;
  pre_tokenizer pre_tokenizer_;
  bpe model_;
  added_tokens added_;
  special_frame frame_;
  decoder decoder_;
  std::vector<std::string> texts_;  ///< by id, the added ones too
  std::vector<bool> known_, special_;
  mutable std::vector<std::atomic<std::uint32_t>> sizes_;  ///< by id, one more than token_size; 0: nobody has asked yet
};

}  // namespace troupe::text
