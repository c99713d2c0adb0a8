// The neutral hints, and how a value comes into one of their fields whatever it was called. Whoever says a field first is heard, so the
// sources are read in the order of their rank: `agent_hints`, `nvext`, headers, other spellings.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/hint_report.hpp"
#include "gateway/json_reader.hpp"
#include "messages/turn.hpp"

namespace troupe::gateway {

enum class hint_field : std::uint8_t {
  priority, tier, urgency, deadline_ms,                                  // sched
  output_tokens, thinking_tokens, effort,                                // shape
  scope, group, retain, max_tier, cache_ttl_ms,                          // cache
  pause_kind, pause_ms, pause_tools,                                     // pause
  prefill, resume_at_ms, branch_of,                                      // next
  agent, turn, kind, final_turn,                                         // id; session and parent are identity's
};
inline constexpr std::size_t hint_fields = static_cast<std::size_t>(hint_field::final_turn) + 1;
/// "sched.priority": as the neutral object has it.
std::string_view name_of(hint_field field) noexcept;

/// Where a value stands. Of our own object a wrong value is the request's failure; of anything else it is left aside.
struct hint_origin {
  std::string path;
  first_failure* strict = nullptr;
};

/// That a message of the prompt, up to one of its blocks, stays.
struct message_mark {
  std::uint32_t message = 0, block = 0, ttl_ms = 0;
  bool operator==(const message_mark&) const = default;
};

class hint_reading {
 public:
  agent_hints hints;
  std::string scope;  ///< the cache salt; empty: nobody has said one
  std::string group;
  std::vector<message_mark> marks;
  bool wants_echo = false, wants_diagnosis = false;
  hint_report report;

  /// Null counts as absent.
  void take(hint_field field, const boost::json::value& value, const hint_origin& from);
  void ignore(std::string_view spelling, std::string_view reason) { report.ignore(spelling, reason); }
  [[nodiscard]] bool has(hint_field field) const noexcept { return !said_by_[static_cast<std::size_t>(field)].empty(); }

 private:
  bool write(hint_field field, const boost::json::value& value, const std::string& path, first_failure& failed);
  bool write_number(hint_field field, const boost::json::value& value, const std::string& path, first_failure& failed);
  bool write_text(hint_field field, const boost::json::value& value, const std::string& path, first_failure& failed);
  bool write_retain(const boost::json::value& value, const std::string& path, first_failure& failed);

  std::array<std::string, hint_fields> said_by_{};
};

}  // namespace troupe::gateway
