#include "engine/text/prompt_encoder.hpp"

#include <algorithm>
#include <string_view>

#include "engine/text/common_bytes.hpp"

namespace troupe::text {

prompt_encoder::prompt_encoder(std::shared_ptr<const tokenizer> tokens, core::block_hasher hasher)
    : tokenizer_(std::move(tokens)), hasher_(hasher), frame_(tokenizer_->frame()) {}

const encoded_prompt& prompt_encoder::encode(std::string rendered, tokenizer::encode_options options, std::span<const forced_tokens> forced) {
  const bool same_options =
      options.add_special_tokens == options_.add_special_tokens && options.parse_special_tokens == options_.parse_special_tokens;
  if (!same_options) forget();
  options_ = options;
  const auto equal = common_bytes(text_, rendered);
  if (same_options && encoded_ && equal == text_.size() && equal == rendered.size()) {
    prompt_.tokens_kept = prompt_.tokens.size();
    prompt_.bytes_kept = prompt_.bytes_equal = text_.size();
    return prompt_;
  }
  const auto from = keep(equal);
  text_ = std::move(rendered);
  append(from, forced);
  hasher_.extend(prompt_.chain, prompt_.tokens);
  prompt_.bytes_equal = equal;
  encoded_ = true;
  return prompt_;
}

void prompt_encoder::forget() {
  text_.clear();
  cuts_.clear();
  prompt_ = {};
  encoded_ = false;
}

/// Drops what may differ when `equal` bytes are the same; answers where to go on.
std::size_t prompt_encoder::keep(std::size_t equal) {
  const auto undecided = std::find_if(cuts_.begin(), cuts_.end(), [&](const cut& each) { return each.decided > equal; });
  cuts_.erase(undecided, cuts_.end());
  if (cuts_.empty()) {
    prompt_ = {};
    return 0;
  }
  const auto last = cuts_.back();
  cuts_.pop_back();  // found again by append
  prompt_.tokens.resize(last.token);
  prompt_.tokens_kept = last.token;
  prompt_.bytes_kept = last.byte;
  prompt_.chain.resize(std::min<std::size_t>(prompt_.chain.size(), last.token / hasher_.block_tokens()));
  return last.byte;
}

/// Encodes the text from byte `from`, where a special token begins or the text.
void prompt_encoder::append(std::size_t from, std::span<const forced_tokens> forced) {
  const auto rest = std::string_view(text_).substr(from);
  auto& tokens = prompt_.tokens;
  if (from == 0 && options_.add_special_tokens) tokens = frame_.before;
  if (from == 0) prompt_.tokens_kept = prompt_.bytes_kept = 0;
  std::size_t begin = 0;
  const auto encode_text = [&](std::size_t end) {
    if (end <= begin) return;
    const auto more = tokenizer_->encode(rest.substr(begin, end - begin), {false, options_.parse_special_tokens});
    tokens.insert(tokens.end(), more.begin(), more.end());
    begin = end;
  };
  auto next_forced = std::ranges::find_if(forced, [from](const auto& each) { return each.byte_begin >= from; });
  const auto encode_up_to = [&](std::size_t end) {
    for (; next_forced != forced.end() && next_forced->byte_end - from <= end; ++next_forced) {
      encode_text(next_forced->byte_begin - from);
      tokens.insert(tokens.end(), next_forced->tokens.begin(), next_forced->tokens.end());
      begin = next_forced->byte_end - from;
    }
    encode_text(end);
  };
  const auto is_forced = [&](std::size_t byte) {
    return std::ranges::any_of(forced, [&](const auto& each) { return each.byte_begin <= byte + from && byte + from < each.byte_end; });
  };
  if (options_.parse_special_tokens) {
    for (const auto& special : tokenizer_->find_specials(rest)) {
      if (!special.cut || is_forced(special.begin)) continue;
      if (special.begin > begin) encode_up_to(special.begin);
      cuts_.push_back({from + special.begin, tokens.size(), from + special.decided});
    }
  }
  encode_up_to(rest.size());
  if (options_.add_special_tokens) tokens.insert(tokens.end(), frame_.after.begin(), frame_.after.end());
}

}  // namespace troupe::text
