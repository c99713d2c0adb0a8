#include "gateway/commands/replay_trace.hpp"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "engine/core/replay/trace_reader.hpp"
#include "engine/store/input_files.hpp"

namespace troupe::gateway {

using namespace core::replay;

progress_bar::progress_bar() : is_terminal_(::isatty(STDERR_FILENO) != 0) {}

progress_bar::~progress_bar() {
  if (is_terminal_) std::fprintf(stderr, "\r\033[K");
}

void progress_bar::show(const std::string& what, double share) {
  if (!is_terminal_) return;
  constexpr int width = 40;
  std::string bar(static_cast<std::size_t>(share * width), '#');
  bar.resize(width, '.');
  std::fprintf(stderr, "\r[%s] %-36.36s", bar.c_str(), what.c_str());
}

expected<recorded_trace> load_trace(const std::vector<std::filesystem::path>& traces, const std::string& format, progress_bar& bar) {
  std::optional<trace_format> known = trace_format_of(format);
  std::unique_ptr<trace_reader> reader;
  std::size_t count = 0;
  for (const auto& path : traces) {
    const auto problem = store::read_inputs(path, [&](const std::string& name, std::string_view content) -> std::optional<failure> {
      if (!known) known = guess_trace_format(content);
      if (!known) return failure{errc::corrupt_data, name + ":1: fits no format: give --format", {}};
      if (!reader) reader = std::make_unique<trace_reader>(*known);
      if (count++ % 16 == 0) bar.show("reading " + name, 0);
      return reader->add(name, content);
    });
    if (problem) return *problem;
  }
  if (!reader) return failure{errc::corrupt_data, "the trace holds no file", {}};
  return reader->finish();
}

}  // namespace troupe::gateway
