// Recorded workloads from JSON text, in the four formats that the lab reads. Text comes in as whole documents, so that one parser serves
// plain files, compressed ones and archives.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::core::replay {

enum class trace_format : std::uint8_t {
  sessions,  ///< one JSON document per session
  mooncake,  ///< JSON lines: a request each
  agentic,   ///< JSON lines: a request each, with its session and what it waits for
  trace      ///< our own request traces: JSON lines of turns and lifecycle verbs
};
std::optional<trace_format> trace_format_of(std::string_view name);
std::vector<std::string_view> trace_format_names();
/// By the keys of the first object; nothing when they fit no format.
std::optional<trace_format> guess_trace_format(std::string_view text);

/// Builds one trace of any number of documents, added in the order of their names. Failure: corrupt_data, with file and line.
class trace_reader {
 public:
  explicit trace_reader(trace_format format);
  ~trace_reader();
  trace_reader(const trace_reader&) = delete;
  trace_reader& operator=(const trace_reader&) = delete;
  /// `name` of the document is for messages and names the session where the document does not.
  std::optional<failure> add(const std::string& name, std::string_view text);
  expected<recorded_trace> finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::core::replay
