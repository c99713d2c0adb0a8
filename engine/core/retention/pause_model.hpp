// How long tools keep a session waiting, learned online from pauses that ended. A pause belongs to a tool and a session type; what
// a class has not seen often enough, the coarser one says: tool and type, tool, all.
//
// Hints are calibrated, not believed: what is learned is the ratio of pause to hint, per tool, then for all. The narrower the ratios
// have been, compared with the pauses themselves, the more the forecast follows the hint.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/core/retention/log_histogram.hpp"

namespace troupe::core {

/// A number for the tools that a session waits for, whatever their order and however often each was called; 0 without any.
std::uint64_t tool_of(std::vector<std::string> names);

struct pause_kind {
  std::uint64_t tool = 0;  ///< by tool_of; 0: not known
  bool is_subagent = false;
};

/// Quantiles 0.1, 0.5 and 0.9 of the whole pause, what has passed included.
struct pause_forecast {
  double early_s = 0, median_s = 0, late_s = 0;
  double weight = 0;  ///< pauses that it rests on; 0: on the hint alone
};

class pause_model {
 public:
  /// A pause has ended after `seconds`; `hint_s` was said when it began, negative: nothing was. What is no time is left out.
  void record(const pause_kind& kind, double seconds, double hint_s = -1);

  /// Of a pause that has lasted for `elapsed_s`. nullopt: no pause was recorded and there is no hint.
  [[nodiscard]] std::optional<pause_forecast> forecast(const pause_kind& kind, double hint_s = -1, double elapsed_s = 0) const;

  [[nodiscard]] std::size_t tools() const { return tools_.size(); }

 private:
  // One tool's law changes with the project it is used in: 33 pauses are remembered, and another law is followed within 80. Of all
  // tools together, 200: no single one should rule them.
  static constexpr double tool_decay = 0.97, all_decay = 0.995;

  struct tool_record {
    log_histogram pauses{tool_decay}, ratios{tool_decay};
    std::array<log_histogram, 2> by_type{log_histogram{tool_decay}, log_histogram{tool_decay}};
    std::uint64_t used_at = 0;
  };
  struct learned {
    log_law law;
    double weight = 0;
    void refine(const log_histogram& finer) { refine(finer, finer.weight() > 0 ? finer.law() : law); }
    /// By a law that rests on what `finer` has seen.
    void refine(const log_histogram& finer, const log_law& finer_law);
  };

  tool_record& record_of(std::uint64_t tool);
  [[nodiscard]] const tool_record* find(std::uint64_t tool) const;
  [[nodiscard]] learned pauses_of(const pause_kind& kind) const;
  [[nodiscard]] learned hinted_pauses_of(std::uint64_t tool, double hint_s) const;

  log_histogram pauses_{all_decay}, ratios_{all_decay};
  std::unordered_map<std::uint64_t, tool_record> tools_;
  std::uint64_t records_ = 0;
};

}  // namespace troupe::core
