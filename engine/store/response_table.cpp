#include "engine/store/response_table.hpp"

#include <utility>

namespace troupe::store {

response_ptr response_table::adopt(stored_response response) const {
  const auto* made = new stored_response(std::move(response));
  const auto size = made->bytes();
  *bytes_ += size;
  return response_ptr(made, [size, account = bytes_](const stored_response* gone) {
    *account -= size;
    delete gone;
  });
}

/// What a file says of a time may be any number: nothing is added to it.
bool response_table::is_too_old(const stored_response& response, std::int64_t now_s) const {
  return response.created_s < now_s - bounds_.age_s_max;
}

bool response_table::is_over(std::int64_t now_s) const {
  if (entries_.empty()) return false;
  return entries_.size() > bounds_.count_max || *bytes_ > bounds_.bytes_max || is_too_old(*entries_.front(), now_s);
}

void response_table::insert(response_ptr response, std::int64_t now_s) {
  remove(response->tenant, response->id);
  auto key = response_key(response->tenant, response->id);
  entries_.push_back(std::move(response));
  by_key_.emplace(std::move(key), std::prev(entries_.end()));
  while (is_over(now_s)) {
    const auto oldest = entries_.front();
    remove(oldest->tenant, oldest->id);
  }
}

response_ptr response_table::find(std::string_view tenant, std::string_view id, std::int64_t now_s) const {
  const auto found = by_key_.find(response_key(tenant, id));
  if (found == by_key_.end() || is_too_old(**found->second, now_s)) return nullptr;
  return *found->second;
}

bool response_table::remove(std::string_view tenant, std::string_view id) {
  const auto found = by_key_.find(response_key(tenant, id));
  if (found == by_key_.end()) return false;
  entries_.erase(found->second);
  by_key_.erase(found);
  return true;
}

std::vector<response_ptr> response_table::all() const { return {entries_.begin(), entries_.end()}; }

}  // namespace troupe::store
