#include "engine/text/decoder.hpp"

#include <algorithm>

#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/// The byte that a token like <0x0A> stands for.
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = hex_value(token[3]), low = hex_value(token[4]);
  if (token[3] == '+' && low >= 0) return static_cast<char>(low);  // as Rust reads numbers
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string made;
  std::size_t at = 0;
  for (auto found = text.find(from); found != std::string_view::npos; found = text.find(from, at)) {
    made.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
  }
  return made.append(text.substr(at));
}

}  // namespace

void decoder::add(const json_node& node) {
  const auto type = node.type();
  const bool fused = std::any_of(steps_.begin(), steps_.end(), [](const step& each) {
    return std::holds_alternative<fuse>(each) || std::holds_alternative<byte_level>(each);
  });
  if (type == "Sequence") {
    for (const auto& item : node.at("decoders").items()) add(item);
  } else if (type == "ByteLevel") {
    steps_.emplace_back(byte_level{});
  } else if (type == "Replace") {
    steps_.emplace_back(replacer(node));
  } else if (type == "ByteFallback") {
    steps_.emplace_back(byte_fallback{});
  } else if (type == "Fuse") {
    steps_.emplace_back(fuse{});
  } else if (type == "Strip") {
    const auto content = node.at("content");
    if (content.text().empty()) content.corrupt("one character is expected");
    steps_.emplace_back(strip{content.text(), node.at("start").number(1 << 16), node.at("stop").number(1 << 16), fused});
  } else if (type == "Metaspace") {
    const auto scheme = node.maybe("prepend_scheme");
    const bool drops = scheme ? scheme->text() != "never" : node.flag("add_prefix_space", true);
    const auto replacement = node.at("replacement");
    if (replacement.text().empty()) replacement.corrupt("one character is expected");
    steps_.emplace_back(metaspace{replacement.text(), drops});
  } else {
    node.unsupported("the decoder " + type);
  }
}

bool decoder::strips_leading_space() const noexcept {
  return joins_with_space_ || std::any_of(steps_.begin(), steps_.end(), [](const step& each) {
           if (const auto* stripping = std::get_if<strip>(&each))
             return stripping->whole && stripping->content == " " && stripping->start > 0;
           const auto* spaced = std::get_if<metaspace>(&each);
           return spaced && spaced->drops_first;
         });
}

std::string decoder::decode(texts tokens) const {
  for (const auto& each : steps_) {
    std::visit([&](const auto& step) { run(step, tokens); }, each);
  }
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && joins_with_space_) text.push_back(' ');
    text += tokens[i];
  }
  return text;
}

std::string decoder::inner_bytes(std::string token) const {
  if (joins_with_space_) return " " + token;
  for (const auto& each : steps_) run_inner(each, token);
  return token;
}

void decoder::run_inner(const step& step, std::string& token) {
  texts alone{token};
  if (std::holds_alternative<byte_level>(step)) {
    token = bytes_behind(token).value_or(token);
  } else if (std::holds_alternative<byte_fallback>(step)) {
    if (const auto byte = fallback_byte(token)) token.assign(1, *byte);
  } else if (const auto* spaced = std::get_if<metaspace>(&step)) {
    token = replace_all(token, spaced->replacement, " ");
  } else if (const auto* stripping = std::get_if<strip>(&step)) {
    if (stripping->whole) return;
    run(*stripping, alone);
    token = alone[0];
  } else if (const auto* replacing = std::get_if<replacer>(&step)) {
    replacing->apply(token);
  }
}

void decoder::run(const byte_level&, texts& tokens) {
  std::string bytes;
  for (const auto& token : tokens) bytes += bytes_behind(token).value_or(token);
  replace_invalid_but_tail(bytes);
  tokens.assign(1, std::move(bytes));
}

void decoder::run(const replacer& step, texts& tokens) {
  for (auto& token : tokens) step.apply(token);
}

void decoder::run(const byte_fallback&, texts& tokens) {
  texts made;
  std::string bytes;  // of consecutive byte tokens: valid together, or one U+FFFD for each
  const auto release = [&](bool at_end) {
    if (bytes.empty()) return;
    auto readable = bytes;
    replace_invalid_but_tail(readable);
    std::string storage;
    const bool valid = readable == bytes && (at_end || valid_utf8(bytes, storage) == bytes);
    if (valid) made.push_back(bytes);
    if (!valid) made.insert(made.end(), bytes.size(), "\xEF\xBF\xBD");
    bytes.clear();
  };
  for (auto& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      bytes.push_back(*byte);
    } else {
      release(false);
      made.push_back(std::move(token));
    }
  }
  release(true);
  tokens = std::move(made);
}

void decoder::run(const fuse&, texts& tokens) {
  std::string all;
  for (const auto& token : tokens) all += token;
  tokens.assign(1, std::move(all));
}

void decoder::run(const strip& step, texts& tokens) {
  for (auto& token : tokens) {
    std::size_t begin = 0, end = token.size();
    for (std::uint32_t i = 0; i < step.start && token.compare(begin, step.content.size(), step.content) == 0; ++i)
      begin += step.content.size();
    for (std::uint32_t i = 0; i < step.stop && end - begin >= step.content.size(); ++i) {
      if (token.compare(end - step.content.size(), step.content.size(), step.content) != 0) break;
      end -= step.content.size();
    }
    token = token.substr(begin, end - begin);
  }
}

void decoder::run(const metaspace& step, texts& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = replace_all(tokens[i], step.replacement, i == 0 && step.drops_first ? "" : " ");
  }
}

}  // namespace troupe::text
