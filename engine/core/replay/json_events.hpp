// What the trace parsers share: JSON as events instead of a tree, because a session file is mostly one long list of numbers, and errors
// that name their line.
#pragma once

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::core::replay {

/// A failure of the trace `name` at the line of `text` that holds byte `at`. Lines count from `first_line`.
inline failure trace_failure(const std::string& name, std::string_view text, std::size_t at, const std::string& problem,
                             std::size_t first_line = 1) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size()));
  const auto line = first_line + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
  return {errc::corrupt_data, name + ":" + std::to_string(line) + ": " + problem, {}};
}

/// Accepts everything and remembers nothing; a parser overrides what it reads. One that finds a value it cannot take returns
/// refuse(why).
class json_events {
 public:
  using json = nlohmann::json;
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool string(std::string&) { return true; }
  bool binary(json::binary_t&) { return true; }
  bool number(double) { return true; }
  bool number_integer(std::int64_t value) { return number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) { return number(value); }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    const std::string text = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: why"
    const auto why = text.find(": ");
    return refuse("not JSON: " + (why == std::string::npos ? text : text.substr(why + 2)));
  }
  bool refuse(std::string why) {
    if (problem.empty()) problem = std::move(why);
    return false;
  }

  std::string problem;
};

/// Text that says how far it has been read.
class read_position {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  read_position(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  read_position& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  read_position operator++(int) {
    const auto before = *this;
    ++*this;
    return before;
  }
  bool operator==(const read_position& other) const { return at_ == other.at_; }
  bool operator!=(const read_position& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

/// One JSON document to `events`, a class derived from json_events.
template <class Events>
std::optional<failure> parse_json(const std::string& name, std::string_view text, Events& events, std::size_t first_line = 1) {
  const char* seen = text.data();
  const bool good = nlohmann::json::sax_parse(read_position(text.data(), &seen), read_position(text.data() + text.size(), &seen), &events);
  if (good && events.problem.empty()) return std::nullopt;
  return trace_failure(name, text, static_cast<std::size_t>(seen - text.data()), events.problem, first_line);
}

}  // namespace troupe::core::replay
