// A load generator for gateway_bench: keep-alive connections on one thread, closed loop or at a fixed rate.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe::bench {

struct load_plan {
  /// The bytes of request `n` of a connection; they stay where they are.
  std::function<const std::string&(unsigned connection, unsigned n)> request;
  unsigned connections = 1;
  unsigned requests = 0;          ///< in all
  double requests_per_s = 0;      ///< 0: each connection asks again as soon as it was answered. Otherwise requests are due at this rate, and one that no connection is free for waits: its latency counts from when it was due
};

struct load_result {
  double seconds = 0;
  std::vector<double> latency_s;      ///< until the whole answer
  std::vector<double> first_event_s;  ///< until the first "data:" of a stream
  std::uint64_t events = 0;           ///< "data:" lines
  std::uint64_t bytes = 0;
};

/// Throws std::runtime_error when a connection is cut, an answer is not 200, or nothing happens for 30 s.
load_result run_load(std::uint16_t port, const load_plan& plan);

}  // namespace troupe::bench
