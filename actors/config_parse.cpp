// TOML to config: the only file that sees toml++. The first problem ends parsing; it travels as an exception inside this file only.
#include <toml++/toml.h>

#include <cmath>
#include <set>
#include <sstream>

#include "actors/config_fields.hpp"

namespace troupe::actors {
namespace {

using detail::config_failure;

struct refused {
  failure why;
};

std::string number_text(double value) {
  std::ostringstream out;
  out.precision(17);
  out << value;
  return out.str();
}

std::string in_quotes(std::string_view text) { return std::string("\"").append(text).append("\""); }

/// Reads the keys of one table into one section.
class table_reader {
 public:
  table_reader(const toml::table& table, std::string path) : table_(table), path_(std::move(path)) {}

  template <class Number>
  requires std::is_arithmetic_v<Number>
  void operator()(std::string_view key, Number& value, detail::within range) {
    const auto* node = take(key);
    if (!node) return;
    const bool whole = std::is_integral_v<Number>;
    const auto expects = std::string(whole ? "a whole number" : "a number") + " from " + number_text(range.min) + " to " +
                         number_text(range.max) + " (" + std::string(range.unit) + ")";
    if (!node->is_integer() && (whole || !node->is_floating_point())) refuse(key, "expects " + expects);
    const double given = node->is_integer() ? static_cast<double>(node->as_integer()->get()) : node->as_floating_point()->get();
    // Written so that NaN is refused too.
    if (!(given >= range.min && given <= range.max)) refuse(key, number_text(given) + " is out of range: expects " + expects);
    value = node->is_integer() ? static_cast<Number>(node->as_integer()->get()) : static_cast<Number>(given);
  }

  void operator()(std::string_view key, bool& value) {
    const auto* node = take(key);
    if (!node) return;
    if (!node->is_boolean()) refuse(key, "expects true or false");
    value = node->as_boolean()->get();
  }

  void operator()(std::string_view key, std::string& value, detail::any_text) {
    if (read_text(key, value) && value.empty()) refuse(key, "must not be empty");
  }
  void operator()(std::string_view key, std::string& value, detail::optional_text) { read_text(key, value); }
  void operator()(std::string_view key, std::string& value, detail::one_of choices) {
    if (!read_text(key, value)) return;
    std::string list;
    for (const auto& name : choices.names) {
      if (name == value) return;
      list += (list.empty() ? "" : ", ") + in_quotes(name);
    }
    refuse(key, in_quotes(value) + " is not one of " + list);
  }
  void operator()(std::string_view key, std::filesystem::path& value) {
    std::string text;
    if (read_text(key, text)) value = text;
  }
  void operator()(std::string_view key, std::vector<std::string>& value) {
    const auto* node = take(key);
    if (!node) return;
    const auto* list = node->as_array();
    if (!list) refuse(key, "expects a list of texts");
    value.clear();
    for (const auto& element : *list) {
      const auto* text = element.as_string();
      if (!text || text->get().empty())
        refuse(std::string(key) + "[" + std::to_string(value.size()) + "]", "expects a text that is not empty");
      value.push_back(text->get());
    }
  }

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  void refuse_unknown() const {
    for (const auto& [key, node] : table_)
      if (!known_.contains(key.str())) {
        const auto line = std::to_string(node.source().begin.line);
        refuse(key.str(), "unknown key (line " + line + ")");
      }
  }

 private:
  const toml::node* take(std::string_view key) {
    known_.emplace(key);
    return table_.get(key);
  }
  bool read_text(std::string_view key, std::string& value) {
    const auto* node = take(key);
    if (!node) return false;
    if (!node->is_string()) refuse(key, "expects a text");
    value = node->as_string()->get();
    if (value.find('\0') != std::string::npos) refuse(key, "must not contain a zero byte");
    return true;
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& problem) const {
    throw refused{config_failure(path_ + "." + std::string(key), problem)};
  }

  const toml::table& table_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

/// `kv_bytes` and `blocks` say the same thing: naming one takes the other's default away.
void settle(const table_reader&, const auto&) {}
void settle(const table_reader& reader, worker_config& worker) {
  if (worker.blocks != 0 && !reader.has("kv_bytes")) worker.kv_bytes = 0;
}

class document_reader {
 public:
  explicit document_reader(const toml::table& root) : root_(root) {}

  template <class Section, class Fields>
  void section(std::string_view name, Section& section, Fields fields) {
    known_.emplace(name);
    const auto* node = root_.get(name);
    if (!node) return;
    if (!node->is_table()) throw refused{config_failure(std::string(name), "expects a section, [" + std::string(name) + "]")};
    read(*node->as_table(), std::string(name), section, fields);
  }

  template <class Section, class Fields>
  void sections(std::string_view name, std::vector<Section>& sections, Fields fields) {
    constexpr std::size_t sections_max = 256;
    known_.emplace(name);
    const auto* node = root_.get(name);
    if (!node) return;
    const auto shape = "expects sections, [[" + std::string(name) + "]]";
    if (!node->is_array()) throw refused{config_failure(std::string(name), shape)};
    const auto& list = *node->as_array();
    if (list.size() > sections_max) throw refused{config_failure(std::string(name), "more than 256 sections")};
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto path = std::string(name) + "[" + std::to_string(i) + "]";
      if (!list[i].is_table()) throw refused{config_failure(path, shape)};
      read(*list[i].as_table(), path, sections.emplace_back(), fields);
    }
  }

  void refuse_unknown() const {
    for (const auto& [key, node] : root_)
      if (!known_.contains(key.str()))
        throw refused{config_failure(std::string(key.str()), "unknown section (line " + std::to_string(node.source().begin.line) + ")")};
  }

 private:
  template <class Section, class Fields>
  void read(const toml::table& table, std::string path, Section& section, Fields fields) {
    table_reader reader(table, std::move(path));
    fields(reader, section);
    reader.refuse_unknown();
    settle(reader, section);
  }

  const toml::table& root_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace

expected<config> parse_config(std::string_view text, const config_origin& origin) {
  try {
    const toml::table root = toml::parse(text);
    config value;
    document_reader reader(root);
    detail::config_sections(reader, value);
    reader.refuse_unknown();
    return detail::resolve_config(std::move(value), origin);
  } catch (const refused& problem) {
    return problem.why;
  } catch (const toml::parse_error& error) {
    return failure{errc::invalid_request,
                   "line " + std::to_string(error.source().begin.line) + " is not TOML: " + std::string(error.description()),
                   {}};
  }
}

}  // namespace troupe::actors
