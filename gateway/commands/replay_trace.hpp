// Recorded workloads from files, for both ways to replay them, and the line on a terminal that says how far a replay is.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/replay/trace.hpp"
#include "messages/base/errc.hpp"

namespace troupe::gateway {

/// Written over at each call; silent where standard error is no terminal.
class progress_bar {
 public:
  progress_bar();
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  void show(const std::string& what, double share);

 private:
  bool is_terminal_;
};

/// All files behind `traces` as one trace. `format`: a name that the trace reader knows, or empty for what the first file looks like.
expected<core::replay::recorded_trace> load_trace(const std::vector<std::filesystem::path>& traces, const std::string& format,
                                                  progress_bar& bar);

}  // namespace troupe::gateway
