// What is remembered of sessions over a restart: the last record of each, appended as it changes. Written anew when most of the file
// has been overtaken by later records.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "engine/store/journal.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::actors {

class session_journal {
 public:
  /// Remembers nothing.
  session_journal() = default;
  /// Hands the last record of each session to `read`: whoever was not dead is dormant now. An empty path remembers nothing.
  /// Failures: the journal's.
  static expected<session_journal> open(const std::filesystem::path& file, const std::function<void(session_info)>& read);

  /// Visits every session that is still to be remembered.
  using visitor = std::function<void(const std::function<void(const session_info&)>&)>;
  /// Appends; when the file has outgrown its live content, `all` writes it anew. Failures: io_failed.
  expected<std::uint64_t> remember(const session_info& info, const visitor& all);
  /// The session need not come back: it is left out at the next rewrite.
  void forget(const session_id& id);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return journal_ ? journal_->bytes() : 0; }

 private:
  void count(const session_id& id, std::size_t bytes);

  std::unique_ptr<store::journal> journal_;
  std::unordered_map<session_id, std::size_t> sizes_;  ///< of the last record of each
  std::uint64_t live_bytes_ = 0;
};

}  // namespace troupe::actors
