// A record that cannot be read is skipped: it is of a later version, and losing one session's counters is better than losing all.
#include "actors/session_journal.hpp"

#include "messages/base/limits.hpp"
#include "messages/wire.hpp"

namespace troupe::actors {

expected<session_journal> session_journal::open(const std::filesystem::path& file, const std::function<void(session_info)>& read) {
  session_journal made;
  if (file.empty()) return made;
  std::unordered_map<session_id, session_info> last;
  auto opened = store::journal::open(file, [&](std::span<const std::byte> bytes) {
    session_record record;
    if (!from_wire(bytes, record) || record.info.id.value.empty()) return;
    made.count(record.info.id, bytes.size());
    last.insert_or_assign(record.info.id, std::move(record.info));
  });
  if (!opened) return opened.error();
  made.journal_ = std::move(*opened);
  for (auto& [id, info] : last) {
    if (info.state != session_state::dead) info.state = session_state::dormant;
    info.paused_on.clear();
    info.children = 0;
    read(std::move(info));
  }
  return made;
}

void session_journal::count(const session_id& id, std::size_t bytes) {
  auto& size = sizes_[id];
  live_bytes_ += bytes - size;
  size = bytes;
}

expected<std::uint64_t> session_journal::remember(const session_info& info, const visitor& all) {
  if (!journal_) return std::uint64_t{0};
  const auto bytes = to_wire(session_record{info});
  auto length = journal_->append(bytes);
  if (!length) return length;
  count(info.id, bytes.size());
  if (*length < limits::journal_bytes_min || *length < limits::journal_growth_max * live_bytes_) return length;
  return journal_->rewrite([&](const std::function<void(std::span<const std::byte>)>& write) {
    all([&](const session_info& each) { write(to_wire(session_record{each})); });
  });
}

void session_journal::forget(const session_id& id) {
  const auto found = sizes_.find(id);
  if (found == sizes_.end()) return;
  live_bytes_ -= found->second;
  sizes_.erase(found);
}

}  // namespace troupe::actors
