#include "engine/store/response_chains.hpp"

namespace troupe::store {

void response_chains::show(const stored_response& response, std::uint64_t number) {
  const auto [at, is_new] = links_.try_emplace(&response);
  at->second.number = number;
  if (at->second.followers == 0) ends_[response.tenant].insert(number);
  if (!is_new) return;
  bytes_.add(response.tenant, response.bytes());
  count_before(response);
}

/// Up to the first that counts already: what is before it does too.
void response_chains::count_before(const stored_response& response) {
  for (const auto* each = response.previous.get(); each != nullptr; each = each->previous.get()) {
    const auto [at, is_new] = links_.try_emplace(each);
    auto& link = at->second;
    if (++link.followers == 1 && link.number != 0) ends_.find(each->tenant)->second.erase(link.number);
    if (!is_new) return;
    bytes_.add(each->tenant, each->bytes());
  }
}

void response_chains::hide(const stored_response& response) {
  const auto at = links_.find(&response);
  if (at == links_.end() || at->second.number == 0) return;
  auto& link = at->second;
  if (link.followers == 0) ends_.find(response.tenant)->second.erase(link.number);
  link.number = 0;
  if (link.followers == 0) release(response);
  if (const auto ends = ends_.find(response.tenant); ends != ends_.end() && bytes_.held(response.tenant) == 0) ends_.erase(ends);
}

/// It and, before it, whatever only it has held.
void response_chains::release(const stored_response& response) {
  for (const auto* each = &response; each != nullptr;) {
    bytes_.remove(each->tenant, each->bytes());
    links_.erase(each);
    const auto* before = each->previous.get();
    if (before == nullptr) return;
    auto& link = links_.find(before)->second;
    if (--link.followers > 0) return;
    if (link.number != 0) {
      ends_[before->tenant].insert(link.number);
      return;
    }
    each = before;
  }
}

std::optional<std::uint64_t> response_chains::oldest_end(std::string_view tenant) const {
  const auto ends = ends_.find(tenant);
  if (ends == ends_.end() || ends->second.empty()) return std::nullopt;
  return *ends->second.begin();
}

}  // namespace troupe::store
