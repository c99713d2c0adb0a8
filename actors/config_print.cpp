// Config to TOML: what `troupe check` shows. Written by hand so that the order is that of the sections and every key appears.
#include <array>
#include <charconv>
#include <string>

#include "actors/config_fields.hpp"

namespace troupe::actors {
namespace {

std::string in_quotes(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (byte < 0x20 || byte == 0x7f)
      ((result += "\\u00") += digits[byte >> 4]) += digits[byte & 15];
    else
      result += c;
  }
  return result + "\"";
}

/// The shortest text that reads back as the same number.
std::string exact(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

class printer {
 public:
  template <class Section, class Fields>
  void section(std::string_view name, Section& section, Fields fields) {
    text += (text.empty() ? "[" : "\n[") + std::string(name) + "]\n";
    fields(*this, section);
  }
  template <class Section, class Fields>
  void sections(std::string_view name, const std::vector<Section>& sections, Fields fields) {
    for (const auto& section : sections) {
      text += "\n[[" + std::string(name) + "]]\n";
      fields(*this, section);
    }
  }

  template <class Number>
  requires std::is_arithmetic_v<Number>
  void operator()(std::string_view key, Number value, const detail::within&) {
    if constexpr (std::is_integral_v<Number>)
      line(key, std::to_string(value));
    else
      line(key, exact(value));
  }
  void operator()(std::string_view key, bool value) { line(key, value ? "true" : "false"); }
  void operator()(std::string_view key, const std::string& value, const auto&) { line(key, in_quotes(value)); }
  void operator()(std::string_view key, const std::filesystem::path& value) { line(key, in_quotes(value.string())); }
  void operator()(std::string_view key, const std::vector<std::string>& value) {
    std::string list;
    for (const auto& element : value) list += (list.empty() ? "" : ", ") + in_quotes(element);
    line(key, std::string("[").append(list).append("]"));
  }

  std::string text;

 private:
  void line(std::string_view key, const std::string& value) { text += std::string(key) + " = " + value + "\n"; }
};

class key_lister {
 public:
  template <class Section, class Fields>
  void section(std::string_view name, Section& section, Fields fields) {
    section_ = name;
    fields(*this, section);
  }
  template <class Section, class Fields>
  void sections(std::string_view name, const std::vector<Section>&, Fields fields) {
    const Section one;
    section(name, one, fields);
  }
  void operator()(std::string_view key, const auto&, const auto&...) { keys.push_back(section_ + "." + std::string(key)); }

  std::vector<std::string> keys;

 private:
  std::string section_;
};

}  // namespace

std::string to_toml(const config& value) {
  printer print;
  detail::config_sections(print, value);
  return print.text;
}

std::vector<std::string> config_keys() {
  key_lister lister;
  const config defaults;
  detail::config_sections(lister, defaults);
  return lister.keys;
}

}  // namespace troupe::actors
