// Reads the fields of one JSON object into typed values. The first failure is kept and names its key; later reads return
// their defaults, so a parser reads straight down and asks once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"

namespace troupe::core {

/// Parses `text` as one JSON object at most limits::json_depth_max deep. Fails with corrupt_data; `where` names the file.
expected<nlohmann::json> parse_json_object(const std::string& text, const std::string& where);

class json_fields {
 public:
  /// `object` must outlive this; `where` names it in messages ("config.json", "config.json: rope_scaling").
  json_fields(const nlohmann::json& object, std::string where) : object_(object), where_(std::move(where)) {}

  /// Present and not null.
  [[nodiscard]] bool has(const std::string& key) const { return find(key) != nullptr; }
  /// Present, be it as null: for keys whose default is not what null means.
  [[nodiscard]] bool contains(const std::string& key) const { return object_.contains(key); }
  /// In [1, max].
  std::uint32_t count(const std::string& key, std::uint32_t max);
  std::uint32_t count_or(const std::string& key, std::uint32_t max, std::uint32_t absent);
  /// In [low, high].
  double number(const std::string& key, double low, double high);
  double number_or(const std::string& key, double low, double high, double absent);
  bool flag_or(const std::string& key, bool absent);
  std::string text_or(const std::string& key, std::string absent);
  /// One token id or a list of them, each in [0, vocabulary); empty when absent.
  std::vector<token_id> tokens(const std::string& key, std::uint32_t vocabulary);
  /// A nested object, or null when absent.
  const nlohmann::json* object(const std::string& key);
  const nlohmann::json* array(const std::string& key);

  void refuse(errc code, const std::string& key, const std::string& what);
  [[nodiscard]] const std::optional<failure>& error() const noexcept { return error_; }

 private:
  [[nodiscard]] const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json* require(const std::string& key);

  const nlohmann::json& object_;
  std::string where_;
  std::optional<failure> error_;
};

}  // namespace troupe::core
