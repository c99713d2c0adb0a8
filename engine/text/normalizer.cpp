#include "engine/text/normalizer.hpp"

#include <unicode/bytestream.h>
#include <unicode/uchar.h>

#include "engine/text/token_text.hpp"

namespace troupe::text {
namespace {

const icu::Normalizer2* find_form(const std::string& type) {
  UErrorCode status = U_ZERO_ERROR;
  if (type == "NFC") return icu::Normalizer2::getNFCInstance(status);
  if (type == "NFD") return icu::Normalizer2::getNFDInstance(status);
  if (type == "NFKC") return icu::Normalizer2::getNFKCInstance(status);
  if (type == "NFKD") return icu::Normalizer2::getNFKDInstance(status);
  return nullptr;
}

bool is_ascii(std::string_view text) {
  for (const char byte : text) {
    if (static_cast<unsigned char>(byte) >= 0x80) return false;
  }
  return true;
}

}  // namespace

replacer::replacer(const json_node& node) : content_(node.at("content").text()) {
  const auto pattern = node.at("pattern");
  if (const auto literal = pattern.maybe("String")) {
    literal_ = literal->text();
    if (literal_.empty()) literal->corrupt("an empty pattern matches nothing");
    return;
  }
  const auto regex = pattern.at("Regex");
  if (content_.find('$') != std::string::npos) node.unsupported("Replace with groups of a regex");
  regex_.emplace(regex.text(), regex);
}

void replacer::apply(std::string& text) const {
  std::vector<text_span> matches;
  if (regex_) {
    regex_scan(*regex_, text).find({0, text.size()}, matches);
  } else {
    for (auto at = text.find(literal_); at != std::string::npos; at = text.find(literal_, at + literal_.size())) {
      matches.push_back({at, at + literal_.size()});
    }
  }
  if (matches.empty()) return;
  std::string replaced;
  std::size_t from = 0;
  for (const auto& match : matches) {
    replaced.append(text, from, match.begin - from).append(content_);
    from = match.end;
  }
  text = replaced.append(text, from);
}

void normalizer::add(const json_node& node) {
  const auto type = node.type();
  if (type == "Sequence") {
    for (const auto& item : node.at("normalizers").items()) add(item);
  } else if (type == "Prepend") {
    steps_.emplace_back(prepend{node.at("prepend").text()});
  } else if (type == "Replace") {
    steps_.emplace_back(replacer(node));
  } else if (type == "Lowercase") {
    steps_.emplace_back(lowercase{});
  } else if (type == "Strip") {
    steps_.emplace_back(strip{node.at("strip_left").flag(), node.at("strip_right").flag()});
  } else if (const auto* form = find_form(type)) {
    steps_.emplace_back(unicode_form{form});
  } else {
    node.unsupported("the normalizer " + type);
  }
}

void normalizer::apply(std::string& text) const {
  for (const auto& each : steps_) {
    std::visit([&](const auto& step) { run(step, text); }, each);
  }
}

void normalizer::run(const prepend& step, std::string& text) {
  if (!text.empty()) text.insert(0, step.content);
}

void normalizer::run(const replacer& step, std::string& text) { step.apply(text); }

void normalizer::run(const unicode_form& step, std::string& text) {
  if (is_ascii(text)) return;  // every form leaves ASCII alone
  std::string formed;
  icu::StringByteSink<std::string> sink(&formed);
  UErrorCode status = U_ZERO_ERROR;
  step.form->normalizeUTF8(0, {text.data(), static_cast<std::int32_t>(text.size())}, sink, nullptr, status);
  if (U_SUCCESS(status)) text = std::move(formed);
}

void normalizer::run(const lowercase&, std::string& text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto c = next_code_point(text, at);
    if (c == 0x130) {
      lower.append("i\xCC\x87");  // the only code point whose lower case is two of them
    } else {
      append_code_point(lower, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
    }
  }
  text = std::move(lower);
}

void normalizer::run(const strip& step, std::string& text) {
  std::size_t end = text.size();
  for (auto at = end; step.right && at > 0 && is_space(previous_code_point(text, at));) end = at;
  std::size_t begin = 0;
  for (auto at = begin; step.left && at < end && is_space(next_code_point(text, at));) begin = at;
  text = text.substr(begin, end - begin);
}

}  // namespace troupe::text
