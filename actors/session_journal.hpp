// What is remembered of sessions over a restart: the last record of each and of what it wishes, appended as they change. Written anew when most of the file
// has been overtaken by later records.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "engine/store/journal.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::actors {

struct kept_session {
  session_info info;
  intent_record intent;  ///< of this incarnation; generation 0: it never wished anything
};

class session_journal {
 public:
  /// Remembers nothing.
  session_journal() = default;
  /// Hands the last record of each session to `read`: whoever was not dead is dormant now. An empty path remembers nothing.
  /// Failures: the journal's.
  static expected<session_journal> open(const std::filesystem::path& file, const std::function<void(kept_session)>& read);

  /// Visits every session that is still to be remembered.
  using visitor = std::function<void(const std::function<void(const session_info&, const intent_record&)>&)>;
  /// Appends; when the file has outgrown its live content, `all` says what it begins with anew, which a thread writes. Failures: io_failed.
  expected<std::uint64_t> remember(const session_info& info, const visitor& all);
  expected<std::uint64_t> remember(const intent_record& intent, const visitor& all);
  /// The session need not come back: it is left out at the next rewrite.
  void forget(const session_id& id);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return journal_ ? journal_->bytes() : 0; }
  /// Waits until nothing is written anew.
  expected<std::uint64_t> settle() { return journal_ ? journal_->finish_rewrite() : std::uint64_t{0}; }

 private:
  /// Of the last record of each kind.
  struct live_size {
    std::size_t info = 0, intent = 0;
  };
  void count(std::size_t& live, std::size_t bytes);
  expected<std::uint64_t> append(std::span<const std::byte> bytes, std::size_t& live, const visitor& all);

  std::unique_ptr<store::journal> journal_;
  std::unordered_map<session_id, live_size> sizes_;
  std::uint64_t live_bytes_ = 0;
};

}  // namespace troupe::actors
