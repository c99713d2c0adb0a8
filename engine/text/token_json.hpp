// Reads a tokenizer.json node by node; each node knows its path, so that a failure can name it. Loading throws load_error from
// any depth; tokenizer::load turns it into a failure, nothing else sees it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"

namespace troupe::text {

struct load_error {
  failure what;
};

class json_node {
 public:
  json_node(const nlohmann::json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  [[nodiscard]] const nlohmann::json& value() const noexcept { return *value_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// The file does not hold what it claims.
  [[noreturn]] void corrupt(std::string_view message) const;
  /// Understood, but not offered; `component` is its name.
  [[noreturn]] void unsupported(std::string_view component) const;

  [[nodiscard]] json_node at(std::string_view key) const;                    ///< must be there
  [[nodiscard]] std::optional<json_node> maybe(std::string_view key) const;  ///< absent and null are the same
  [[nodiscard]] std::vector<json_node> items() const;                        ///< of an array
  [[nodiscard]] const nlohmann::json::object_t& members() const;             ///< of an object

  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] std::uint32_t number(std::uint32_t max) const;  ///< an integer in [0, max]
  [[nodiscard]] bool flag() const;
  [[nodiscard]] bool flag(std::string_view key, bool otherwise) const;
  [[nodiscard]] std::string type() const { return at("type").text(); }

 private:
  const nlohmann::json* value_;
  std::string path_;
};

}  // namespace troupe::text
