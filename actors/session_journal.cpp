// A record that cannot be read is skipped: it is of a later version, and losing one session's counters is better than losing all.
#include "actors/session_journal.hpp"

#include "messages/base/limits.hpp"
#include "messages/wire.hpp"

namespace troupe::actors {

namespace {

/// What it wished in an earlier incarnation, or before it died, is nobody's wish.
bool counts_for(const intent_record& intent, const session_info& info) {
  return intent.generation > 0 && intent.incarnation == info.incarnation && info.state != session_state::dead;
}

}  // namespace

expected<session_journal> session_journal::open(const std::filesystem::path& file, const std::function<void(kept_session)>& read) {
  session_journal made;
  if (file.empty()) return made;
  std::unordered_map<session_id, kept_session> last;
  auto opened = store::journal::open(file, [&](std::span<const std::byte> bytes) {
    session_record record;
    intent_record intent;
    if (from_wire(bytes, record) && !record.info.id.value.empty()) {
      made.count(made.sizes_[record.info.id].info, bytes.size());
      last[record.info.id].info = std::move(record.info);
    } else if (from_wire(bytes, intent) && last.contains(intent.id)) {
      made.count(made.sizes_[intent.id].intent, bytes.size());
      last[intent.id].intent = std::move(intent);
    }
  });
  if (!opened) return opened.error();
  made.journal_ = std::move(*opened);
  for (auto& [id, kept] : last) {
    if (!counts_for(kept.intent, kept.info)) {
      made.count(made.sizes_[id].intent, 0);
      kept.intent = {};
    }
    if (kept.info.state != session_state::dead) kept.info.state = session_state::dormant;
    kept.info.paused_on.clear();
    kept.info.children = 0;
    read(std::move(kept));
  }
  return made;
}

void session_journal::count(std::size_t& live, std::size_t bytes) {
  live_bytes_ += bytes - live;
  live = bytes;
}

expected<std::uint64_t> session_journal::append(std::span<const std::byte> bytes, std::size_t& live, const visitor& all) {
  auto length = journal_->append(bytes);
  if (!length) return length;
  count(live, bytes.size());
  if (*length < limits::journal_bytes_min || *length < limits::journal_growth_max * live_bytes_) return length;
  return journal_->begin_rewrite([&](const std::function<void(std::span<const std::byte>)>& write) {
    all([&](const session_info& each, const intent_record& intent) {
      write(to_wire(session_record{each}));
      if (counts_for(intent, each)) write(to_wire(intent));
    });
  });
}

expected<std::uint64_t> session_journal::remember(const session_info& info, const visitor& all) {
  if (!journal_) return std::uint64_t{0};
  auto& live = sizes_[info.id];
  if (info.state == session_state::dead) count(live.intent, 0);
  return append(to_wire(session_record{info}), live.info, all);
}

expected<std::uint64_t> session_journal::remember(const intent_record& intent, const visitor& all) {
  if (!journal_) return std::uint64_t{0};
  return append(to_wire(intent), sizes_[intent.id].intent, all);
}

void session_journal::forget(const session_id& id) {
  const auto found = sizes_.find(id);
  if (found == sizes_.end()) return;
  live_bytes_ -= found->second.info + found->second.intent;
  sizes_.erase(found);
}

}  // namespace troupe::actors
