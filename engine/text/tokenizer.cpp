#include "engine/text/tokenizer.hpp"

#include <fstream>
#include <system_error>

#include "engine/core/model/json_fields.hpp"
#include "engine/text/token_text.hpp"
#include "engine/text/tokenizer_bpe.hpp"
#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

expected<std::string> read_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::is_regular_file(file, error) ? std::filesystem::file_size(file, error) : 0;
  if (error || size == 0 || size > limits::tokenizer_file_bytes_max) {
    return failure{errc::io_failed, "Cannot read " + file.string() + ": no such file, empty, or too large.", ""};
  }
  std::string content(size, '\0');
  if (!std::ifstream(file, std::ios::binary).read(content.data(), static_cast<std::streamsize>(size))) {
    return failure{errc::io_failed, "Cannot read " + file.string() + ".", ""};
  }
  return content;
}

}  // namespace

expected<std::shared_ptr<const tokenizer>> tokenizer::load(const std::filesystem::path& file) {
  const auto content = read_file(file);
  if (!content) return content.error();
  const auto json = core::parse_json_object(*content, file.string());  // bounded in depth: its parts are read by recursion
  if (!json) return json.error();
  try {
    return std::shared_ptr<const tokenizer>(std::make_shared<bpe_tokenizer>(json_node(*json, "$")));
  } catch (const load_error& error) {
    return error.what;
  } catch (const nlohmann::json::exception& error) {
    return failure{errc::corrupt_data, file.string() + " cannot be read: " + error.what(), "$"};
  }
}

bool bpe_tokenizer::is_known(token_id token) const noexcept {
  return token >= 0 && static_cast<std::size_t>(token) < known_.size() && known_[static_cast<std::size_t>(token)];
}

bool bpe_tokenizer::is_special(token_id token) const noexcept { return is_known(token) && special_[static_cast<std::size_t>(token)]; }

std::vector<token_id> bpe_tokenizer::encode(std::string_view text, encode_options options) const {
  std::string storage;
  text = valid_utf8(text, storage);
  std::vector<token_id> tokens;
  tokens.reserve(text.size() / 3 + 8);
  if (options.add_special_tokens) tokens = frame_.before;
  for (const auto& part : added_.split_raw(text, options.parse_special_tokens)) {
    if (part.token) {
      tokens.push_back(part.token->id);
    } else {
      encode_between(text.substr(part.begin, part.end - part.begin), part.begin == 0, options.parse_special_tokens, tokens);
    }
  }
  if (options.add_special_tokens) tokens.insert(tokens.end(), frame_.after.begin(), frame_.after.end());
  return tokens;
}

void bpe_tokenizer::encode_between(std::string_view text, bool begins_input, bool parse_special, std::vector<token_id>& out) const {
  std::string storage(text);
  if (!normalizer_.empty()) normalizer_.apply(storage);
  bpe::scratch buffers;
  for (const auto& part : added_.split_normalized(storage, parse_special)) {
    if (part.token) {
      out.push_back(part.token->id);
      continue;
    }
    words cut{storage.substr(part.begin, part.end - part.begin), {{0, part.end - part.begin}}, begins_input && part.begin == 0};
    pre_tokenizer_.apply(cut);
    for (const auto& span : cut.spans) {
      model_.encode(std::string_view(cut.text).substr(span.begin, span.end - span.begin), out, buffers);
    }
  }
}

std::string bpe_tokenizer::decode(const std::vector<token_id>& tokens, decode_options options) const {
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const auto token : tokens) {
    if (!is_known(token) || (options.skip_special_tokens && is_special(token))) continue;
    texts.push_back(texts_[static_cast<std::size_t>(token)]);
  }
  return decoder_.decode(std::move(texts));
}

std::string bpe_tokenizer::token_bytes(token_id token) const {
  return is_known(token) ? decoder_.inner_bytes(texts_[static_cast<std::size_t>(token)]) : std::string();
}

std::size_t bpe_tokenizer::token_size(token_id token) const {
  if (!is_known(token)) return 0;
  auto& kept = sizes_[static_cast<std::size_t>(token)];
  if (const auto known = kept.load(std::memory_order_relaxed); known > 0) return known - 1;
  const auto size = token_bytes(token).size();
  kept.store(static_cast<std::uint32_t>(size + 1), std::memory_order_relaxed);
  return size;
}

std::optional<token_id> bpe_tokenizer::find(std::string_view token) const {
  for (const auto& added : added_.tokens()) {
    if (added.content == token) return added.id;
  }
  return model_.find(token);
}

bool bpe_tokenizer::may_cut_before(const added_token& token) const {
  // A word character would hide the end of a word from a single_word token before it; white space could belong to its neighbour.
  std::size_t at = 0;
  const auto first = next_code_point(token.content, at);
  return !token.lstrip && !token.single_word && !is_word(first) && !is_space(first);
}

std::vector<tokenizer::special_span> bpe_tokenizer::find_specials(std::string_view text) const {
  std::vector<special_span> spans;
  for (const auto& part : added_.split_raw(text, true)) {
    if (!part.token || !part.token->special) continue;
    // 4: the character behind a token can decide whether it is a single word.
    spans.push_back({part.begin, part.end, part.token->id, may_cut_before(*part.token), part.begin + added_.raw_bytes_max() + 4});
  }
  return spans;
}

}  // namespace troupe::text
