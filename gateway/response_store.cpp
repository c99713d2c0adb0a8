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
    : table_(std::move(table)),
      log_(std::move(log)),
      waiting_(limits::responses_waiting_max, [this](const task& next) { carry_out(next); }) {}

store::response_ptr response_store::find(std::string_view tenant, std::string_view id, std::int64_t now_s) const {
  const std::lock_guard lock(mutex_);
  return table_.find(tenant, id, now_s);
}

std::size_t response_store::count() const {
  const std::lock_guard lock(mutex_);
  return table_.count();
}

void response_store::put(store::stored_response response, std::function<void()> kept) {
  task next{nullptr, std::move(kept)};
  {
    const std::lock_guard lock(mutex_);
    const auto tenant = response.tenant;
    waiting_by_.add(tenant, 1);
    if (waiting_by_.is_within(tenant, limits::responses_waiting_max) && table_.has_room_for(tenant))
      next.response = table_.adopt(std::move(response));
    else
      waiting_by_.remove(tenant, 1);
  }
  next.response ? waiting_.add(std::move(next)) : next.kept();
}

bool response_store::remove(std::string_view tenant, std::string_view id, std::int64_t now_s) {
  const std::lock_guard lock(mutex_);
  auto found = table_.find(tenant, id, now_s);
  if (!found) return false;
  table_.remove(tenant, id);
  waiting_.add({std::move(found), nullptr});
  return true;
}

/// The file first: who has been told of a response must find it after a crash.
void response_store::carry_out(const task& next) {
  const auto& response = *next.response;
  if (next.kept) {
    const std::lock_guard lock(mutex_);
    waiting_by_.remove(response.tenant, 1);
  }
  if (log_) note(next.kept ? log_->add(response) : log_->remove(response.tenant, response.id));
  std::vector<store::response_ptr> all;
  bool outgrown = false;
  {
    const std::lock_guard lock(mutex_);
    if (next.kept) table_.insert(next.response, response.created_s);
    outgrown = log_ && log_->is_outgrown(table_.bytes());
    if (outgrown) all = table_.all();
  }
  if (next.kept) next.kept();
  if (outgrown) note(log_->rewrite(all));
}

void response_store::note(const expected<std::uint64_t>& written) {
  if (!written && !failing_) spdlog::warn("responses are kept in memory only: {}", written.error().message);
  failing_ = !written;
}

}  // namespace troupe::gateway
