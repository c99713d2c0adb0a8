// What is known of the wait of one context until its next request, and the models that learn from all of them. A context waits in
// up to three ways at once: since its turn started, since it finished, and since it finished with a hint. All three learn; the last
// one that applies says what the context is worth.
#pragma once

#include <array>

#include "engine/core/retention/retention_policy.hpp"
#include "engine/core/retention/return_model.hpp"

namespace troupe::core {

/// How fast a stream has been of late, as the classes see it.
class stream_pace {
 public:
  void add(double gap_s);
  [[nodiscard]] std::uint32_t bucket() const;  ///< 0: nothing known, then up to buckets - 1
  static constexpr std::uint32_t buckets = 11;

 private:
  double log_gap_ = 0;
  std::uint32_t count_ = 0;
};

enum class wait_kind : std::uint8_t { running, paused, hinted, superseded };
inline constexpr std::size_t wait_kinds = 4;

struct context_waits {
  struct one {
    return_model::classes of{};
    instant since{0};
    int bin = 0;
    bool is_open = false;
  };
  std::array<one, wait_kinds> kinds;
  wait_kind leading = wait_kind::running;
};

class wait_models {
 public:
  void start(context_waits& waits, turn_input input, const stream_pace& pace, instant now);
  /// Said again when more is known: the last word counts.
  void finish(context_waits& waits, const turn_finish& how, const stream_pace& pace, instant now);
  /// Another context has taken this one's place in its stream: `share` is that one's length by this one's.
  void supersede(context_waits& waits, turn_input input, double share, instant now);
  /// The context's next request has come.
  void come_back(context_waits& waits, instant now);
  /// Counts the bins that have passed; returns when the next one of the leading wait begins, or 0 after the last.
  instant advance(context_waits& waits, instant now);
  double worth(const context_waits& waits);

 private:
  void open(context_waits& waits, wait_kind kind, const return_model::classes& keys, instant now);
  void retract(context_waits& waits, wait_kind kind);
  return_model& model(std::size_t kind) { return models_[kind]; }

  std::array<return_model, wait_kinds> models_;
};

}  // namespace troupe::core
