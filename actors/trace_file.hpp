// A JSON-lines file that is appended to. Bounded: when it would grow past its maximum it becomes <path>.1, replacing the one before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "messages/service.hpp"

namespace troupe::actors {

/// One line without its line feed. Text that is not UTF-8 is written with replacement characters.
std::string json_line(const turn_record& record);
std::string json_line(const lifecycle_record& record);
std::string json_line(const pause_record& record);

class trace_file {
 public:
  /// An empty path writes nothing and loses nothing. A file that cannot be opened loses every line.
  trace_file(std::string path, std::size_t bytes_max);

  /// Whether lines are wanted at all.
  [[nodiscard]] bool is_wanted() const noexcept { return !path_.empty(); }
  /// The line is with the operating system when this returns, or it is counted as lost.
  void write(const std::string& line);
  [[nodiscard]] std::uint64_t lines_lost() const noexcept { return lines_lost_; }

 private:
  void open();
  void rotate();
  void lose(const char* why);

  std::string path_;
  std::size_t bytes_max_;
  std::ofstream file_;
  std::size_t bytes_ = 0;
  std::uint64_t lines_lost_ = 0;
};

}  // namespace troupe::actors
