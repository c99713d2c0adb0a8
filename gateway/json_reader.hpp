// Typed reading of a client's JSON. Whatever is wrong is reported with the path of the field ("messages[3].content[0].type");
// the first report wins and later reads go on, so a translation reads straight down and looks once at the end.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// Holds the first failure of a translation.
class first_failure {
 public:
  void report(errc code, std::string message, std::string param);
  [[nodiscard]] bool any() const noexcept { return failure_.has_value(); }
  [[nodiscard]] const failure& get() const { return *failure_; }

 private:
  std::optional<failure> failure_;
};

struct number_range {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
  bool above_min = false;  ///< `min` itself is refused
};

struct integer_range {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

/// One object and where it lies. A null member counts as absent. Reads leave `out` alone when the member is absent or wrong,
/// and answer whether they wrote it.
class json_reader {
 public:
  json_reader(const boost::json::object& object, std::string path, first_failure& failed);

  [[nodiscard]] const boost::json::value* find(std::string_view key) const;
  [[nodiscard]] std::string path_of(std::string_view key) const;

  bool read(std::string_view key, std::string& out) const;
  bool read(std::string_view key, bool& out) const;
  bool read(std::string_view key, float& out, number_range range) const;
  bool read(std::string_view key, std::int64_t& out, integer_range range) const;
  bool read(std::string_view key, std::uint32_t& out, integer_range range) const;
  bool read(std::string_view key, std::int32_t& out, integer_range range) const;
  /// nullptr when absent or of another type.
  const boost::json::object* object(std::string_view key) const;
  const boost::json::array* array(std::string_view key) const;
  /// Reports invalid_request at the member's path.
  void refuse(std::string_view key, std::string_view why) const;
  first_failure& failed() const noexcept { return failed_; }

 private:
  const boost::json::object& object_;
  std::string path_;
  first_failure& failed_;
};

std::string index_path(std::string_view path, std::size_t index);
/// A whole number within the range, also when written as 3.0; reports otherwise.
std::optional<std::int64_t> read_integer(const boost::json::value& value, const std::string& path, integer_range range,
                                         first_failure& failed);
/// Reports "expected ..." at a path.
void refuse_type(first_failure& failed, const std::string& path, std::string_view expected);

/// Parses a body that must be one JSON object: invalid_request otherwise, also beyond limits::json_depth_max.
expected<boost::json::object> parse_object(std::string_view text);

}  // namespace troupe::gateway
