// What every bench prints beside its numbers: where they were measured, of which commit, and a hash of the computed result.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace troupe::bench {

inline std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

inline void print_header(const char* bench) {
  std::printf("%s\nhardware: %s, %u cores\ncommit: %s\n", bench, cpu_name().c_str(), std::thread::hardware_concurrency(), TROUPE_COMMIT);
}

/// FNV-1a over 64-bit words: enough to see that two runs computed the same.
class result_hash {
 public:
  void add(std::uint64_t word) { value_ = (value_ ^ word) * 0x100000001b3ULL; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// Wall seconds of one call.
template <class F>
double seconds_of(F&& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace troupe::bench
