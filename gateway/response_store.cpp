#include "gateway/response_store.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
expected<std::shared_ptr<response_store>> response_store::open(const std::filesystem::path& file, store::response_bounds bounds,
                                                               std::int64_t now_s) {
  store::response_table table(bounds);
  std::optional<store::response_log> log;
  if (!file.empty()) {
    auto opened = store::response_log::open(file, table, now_s);
    if (!opened) return opened.error();
    log = std::move(*opened);
  }
  return std::shared_ptr<response_store>(new response_store(std::move(log), std::move(table)));
}

response_store::response_store(std::optional<store::response_log> log, store::response_table table)
    : table_(std::move(table)), log_(std::move(log)), waiting_(limits::responses_waiting_max, [this](const task& next) {
        {
          const std::lock_guard lock(mutex_);
          waiting_by_.remove(next.response->tenant, 1);
        }
        next.kept ? keep(next) : remove(next);
        tidy();
      }) {}

store::response_ptr response_store::find(std::string_view tenant, std::string_view id, std::int64_t now_s) const {
  const std::lock_guard lock(mutex_);
  return table_.find(tenant, id, now_s);
}

std::size_t response_store::count() const {
  const std::lock_guard lock(mutex_);
  return table_.count();
}

void response_store::put(store::stored_response response, std::function<void(keeping)> then) {
  task next{nullptr, std::move(then)};
  {
    const std::lock_guard lock(mutex_);
    if (table_.has_room_for(response.tenant) && let_wait(response.tenant)) next.response = table_.adopt(std::move(response));
  }
  next.response ? waiting_.add(std::move(next)) : next.kept(keeping::refused);
}

void response_store::remove(std::string_view tenant, std::string_view id, std::int64_t now_s, std::function<void(expected<bool>)> then) {
  task next{find(tenant, id, now_s), nullptr, std::move(then)};
  if (!next.response) return next.removed(false);
  std::unique_lock lock(mutex_);
  const bool may_wait = let_wait(next.response->tenant);
  lock.unlock();
  if (!may_wait) return next.removed(failure{errc::queue_full, "too many responses wait for the disk", {}});
  waiting_.add(std::move(next));
}

bool response_store::let_wait(const std::string& tenant) {
  waiting_by_.add(tenant, 1);
  if (waiting_by_.is_within(tenant, limits::responses_waiting_max)) return true;
  waiting_by_.remove(tenant, 1);
  return false;
}

/// The file first: who has been told of a response must find it after a crash.
void response_store::keep(const task& next) {
  const auto& response = *next.response;
  if (log_) note(log_->add(response));
  {
    const std::lock_guard lock(mutex_);
    table_.insert(next.response, response.created_s);
  }
  next.kept(keeping::kept);
}

/// The file first here too: who has been told that it is gone must not find it after a crash.
void response_store::remove(const task& next) {
  const auto& gone = *next.response;
  if (log_) {
    const auto written = log_->remove(gone.tenant, gone.id);
    note(written);
    if (!written) return next.removed(failure{errc::io_failed, "the deletion could not be written: " + written.error().message, {}});
  }
  std::unique_lock lock(mutex_);
  const bool was_there = table_.remove(gone.tenant, gone.id);  // it may have been asked for twice
  lock.unlock();
  next.removed(was_there);
}

void response_store::tidy() {
  if (!log_) return;
  std::unique_lock lock(mutex_);
  if (!log_->is_outgrown(table_.bytes())) return;
  const auto all = table_.all();
  lock.unlock();
  note(log_->rewrite(all));
}

void response_store::note(const expected<std::uint64_t>& written) {
  if (!written && !failing_) spdlog::warn("responses are kept in memory only: {}", written.error().message);
  failing_ = !written;
}

}  // namespace troupe::gateway
