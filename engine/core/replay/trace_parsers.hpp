// The parsers behind trace_reader, one per format and source file. Internal to this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/replay/path_builder.hpp"
#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::core::replay {

/// A session file. Its block ids are its own.
std::optional<failure> parse_session(const std::string& name, std::string_view text, recorded_trace& into);

/// Mooncake rows: nobody says which session a request belongs to.
class mooncake_parser {
 public:
  std::optional<failure> add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into);

 private:
  path_builder paths_;
};

/// Agentic rows: a row waits for others, so times are known only when all rows are.
class agentic_parser {
 public:
  std::optional<failure> add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into);
  /// Turns what each row waits for into times.
  std::optional<failure> finish(recorded_trace& into);

 private:
  struct row {
    std::string id;
    std::vector<std::string> wait_for;
    std::size_t session = 0;
    double at_s = 0;  ///< without anything to wait for
    double delay_s = 0;
    recorded_request request;
    std::string where;
  };
  std::vector<row> rows_;
  std::unordered_map<std::string, std::size_t> by_id_, sessions_;
  path_builder paths_;
};

/// Lines of our own request traces. They hold no block ids: a turn is taken to continue its session's last prompt, unless it is
/// shorter, which is a compaction and starts anew.
class turn_parser {
 public:
  std::optional<failure> add_line(const std::string& name, std::string_view line, std::size_t number, recorded_trace& into);
  void finish(recorded_trace& into);

 private:
  std::unordered_map<std::string, std::size_t> sessions_;
  std::unordered_map<std::size_t, std::vector<block_index>> paths_;
};

/// Sorts a session's requests by time, keeping the order of equal ones.
void sort_by_time(recorded_session& session);

}  // namespace troupe::core::replay
