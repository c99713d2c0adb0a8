#include "test/soak/soak_report.hpp"

#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace troupe::test {

std::uint64_t soak_counts::failed() const {
  std::uint64_t sum = 0;
  for (const auto& [code, count] : turn_failures) sum += count;
  return sum;
}

double soak_counts::answered_share() const {
  const auto wanted = turns - left;
  return wanted == 0 ? 0 : static_cast<double>(answered) / static_cast<double>(wanted);
}

std::string describe(const soak_counts& counts) {
  std::ostringstream text;
  text << "turns=" << counts.turns << " answered=" << counts.answered << " left=" << counts.left << " failed=" << counts.failed()
       << " verbs=" << counts.verbs << " spawns=" << counts.spawns << " deaths=" << counts.deaths
       << " prompt_tokens=" << counts.prompt_tokens << " cached_tokens=" << counts.cached_tokens
       << " output_tokens=" << counts.output_tokens;
  for (const auto& [code, count] : counts.turn_failures) text << " turn:" << code << "=" << count;
  for (const auto& [code, count] : counts.verb_failures) text << " verb:" << code << "=" << count;
  return text.str();
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double heap_mib() {
  const auto info = ::mallinfo2();  // over all arenas
  return static_cast<double>(info.uordblks + info.hblkhd) / (1 << 20);
}

}  // namespace troupe::test
