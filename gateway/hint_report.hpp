// What became of a request's hints, field by field: applied, clipped or ignored. Told to whoever asks for it (hint_echo).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::gateway {

class hint_report {
 public:
  struct applied_hint {
    std::string name, value;  ///< of the neutral field; as JSON
    bool operator==(const applied_hint&) const = default;
  };
  struct clipped_hint {
    std::string name, asked, given;  ///< both as JSON
    bool operator==(const clipped_hint&) const = default;
  };
  struct ignored_hint {
    std::string spelling, reason;  ///< as the request has it; a sentence without its subject
    bool operator==(const ignored_hint&) const = default;
  };

  void apply(std::string_view name, std::string value);
  /// It counts as applied no more.
  void clip(std::string_view name, std::string asked, std::string given);
  void ignore(std::string_view spelling, std::string_view reason);
  /// What counted as applied turns out to have no effect.
  void revoke(std::string_view name, std::string_view reason);

  [[nodiscard]] const std::vector<applied_hint>& applied() const noexcept { return applied_; }
  [[nodiscard]] const std::vector<clipped_hint>& clipped() const noexcept { return clipped_; }
  [[nodiscard]] const std::vector<ignored_hint>& ignored() const noexcept { return ignored_; }

 private:
  /// limits::hints_reported_max of all kinds; what comes then is not told.
  [[nodiscard]] bool has_room() const noexcept;

  std::vector<applied_hint> applied_;
  std::vector<clipped_hint> clipped_;
  std::vector<ignored_hint> ignored_;
};

}  // namespace troupe::gateway
