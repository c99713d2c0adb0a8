#include "engine/store/response_table.hpp"

#include <utility>

namespace troupe::store {

// Twice: what turns go on from may have been forgotten meanwhile, all of it.
response_table::response_table(response_bounds bounds) : bounds_(bounds), held_(std::make_shared<core::fair_budget>(2 * bounds.bytes_max)) {}

response_ptr response_table::adopt(stored_response response) const {
  const auto* made = new stored_response(std::move(response));
  const auto size = made->bytes();
  static_cast<void>(held_->take(made->tenant, size));
  return response_ptr(made, [size, held = held_](const stored_response* gone) {
    held->give_back(gone->tenant, size);
    delete gone;
  });
}

/// What a file says of a time may be any number: nothing is added to it.
bool response_table::is_too_old(const stored_response& response, std::int64_t now_s) const {
  return response.created_s < now_s - bounds_.age_s_max;
}

void response_table::insert(response_ptr response, std::int64_t now_s) {
  const auto tenant = response->tenant;
  const auto number = ++last_;
  // Before the one of the same name goes, which it may go on from.
  chains_.show(*response, number);
  remove(tenant, response->id);
  by_key_.emplace(response_key(tenant, response->id), number);
  entries_.emplace(number, entry{std::move(response), order_.add(tenant, number)});
  forget_too_old(now_s);
  forget_too_many(tenant);
  forget_too_much(tenant);
}

void response_table::forget(std::uint64_t number) {
  const auto at = entries_.find(number);
  const auto response = std::move(at->second.response);
  order_.erase(at->second.place);
  entries_.erase(at);
  by_key_.erase(response_key(response->tenant, response->id));
  chains_.hide(*response);
}

void response_table::forget_too_old(std::int64_t now_s) {
  while (!entries_.empty() && is_too_old(*entries_.begin()->second.response, now_s)) forget(entries_.begin()->first);
}

void response_table::forget_too_many(const std::string& tenant) {
  const auto any = [](std::uint64_t) { return true; };
  while (entries_.size() > bounds_.count_max) forget(order_.displaced_by(tenant, any).value()->item);
}

void response_table::forget_too_much(const std::string& tenant) {
  while (bytes() > bounds_.bytes_max) {
    std::optional<std::uint64_t> oldest;
    chains_.bytes().visit_givers(tenant, [&](const std::string& giver) { return !(oldest = chains_.oldest_end(giver)); });
    forget(oldest.value());
  }
}

response_ptr response_table::find(std::string_view tenant, std::string_view id, std::int64_t now_s) const {
  const auto found = by_key_.find(response_key(tenant, id));
  if (found == by_key_.end()) return nullptr;
  const auto& response = entries_.at(found->second).response;
  return is_too_old(*response, now_s) ? nullptr : response;
}

bool response_table::remove(std::string_view tenant, std::string_view id) {
  const auto found = by_key_.find(response_key(tenant, id));
  if (found == by_key_.end()) return false;
  forget(found->second);
  return true;
}

std::vector<response_ptr> response_table::all() const {
  std::vector<response_ptr> all;
  for (const auto& [number, each] : entries_) all.push_back(each.response);
  return all;
}

}  // namespace troupe::store
