// Responses in a journal file: each once, behind those that it goes on from, and deletions. Not for several threads at once.
#pragma once

#include <filesystem>
#include <unordered_set>

#include "engine/store/journal.hpp"
#include "engine/store/response_table.hpp"

namespace troupe::store {

class response_log {
 public:
  /// Opens or creates `file` and fills `table` with what is in it. A response whose chain is not whole is left out. Failures: the
  /// journal's.
  static expected<response_log> open(const std::filesystem::path& file, response_table& table, std::int64_t now_s);

  /// Appends `response`, and of those before it whatever the file has not: as deleted ones, since nobody can have them. Failures:
  /// io_failed.
  expected<std::uint64_t> add(const stored_response& response);
  expected<std::uint64_t> remove(std::string_view tenant, std::string_view id);

  /// Whether most of the file is of no use to a table of that many bytes.
  [[nodiscard]] bool is_outgrown(std::size_t table_bytes) const noexcept;
  /// Leaves only these, oldest first, and what they go on from.
  expected<std::uint64_t> rewrite(const std::vector<response_ptr>& visible);
  [[nodiscard]] std::uint64_t bytes() const noexcept { return journal_->bytes(); }

 private:
  std::unique_ptr<journal> journal_;
  std::unordered_set<std::string> written_;  ///< keys of the responses in the file
};

}  // namespace troupe::store
