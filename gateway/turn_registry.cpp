#include "gateway/turn_registry.hpp"

#include <utility>
#include <vector>

#include "gateway/connection.hpp"
#include "gateway/kept_turn.hpp"

namespace troupe::gateway {

expected<std::shared_ptr<kept_turn>> turn_registry::find(const turn_key& key) {
  const std::lock_guard lock(mutex_);
  return look_up(key);
}

expected<std::shared_ptr<kept_turn>> turn_registry::look_up(const turn_key& key) {
  const auto found = by_scope_.find(key.scope);
  if (found == by_scope_.end()) return std::shared_ptr<kept_turn>();
  const auto turn = found->second->item;
  if (turn->key().digest != key.digest)
    return failure{errc::idempotency_mismatch, "this 'idempotency-key' names the turn of a request with another body", "idempotency-key"};
  if (turn->join()) return turn;
  erase(found);  // cancelled, and about to be forgotten
  return std::shared_ptr<kept_turn>();
}

expected<turn_registry::claim> turn_registry::open(const turn_key& key, const std::shared_ptr<const connection_context>& context) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return failure{errc::draining, "the gateway is shutting down", {}};
  auto known = look_up(key);
  if (!known) return known.error();
  if (*known) return claim{*std::move(known), false};
  if (turns_.size() >= turns_max_ && !make_room(key.tenant))
    return failure{errc::queue_full, "too many turns with an 'idempotency-key' are kept; each is forgotten some time after its end", {}};
  auto made = std::make_shared<kept_turn>(context, key);
  made->join();
  by_scope_.emplace(key.scope, turns_.add(key.tenant, made));
  return claim{std::move(made), true};
}

turn_registry::by_scope::iterator turn_registry::known_as(const kept_turn& turn) {
  const auto found = by_scope_.find(turn.key().scope);
  return found != by_scope_.end() && found->second->item.get() == &turn ? found : by_scope_.end();
}

void turn_registry::erase(by_scope::iterator at) {
  const auto place = at->second;
  forget_answer(*place->item);
  by_scope_.erase(at);
  turns_.erase(place);
}

void turn_registry::forget_answer(const kept_turn& turn) {
  const auto known = by_turn_.extract(&turn);
  if (known) answers_.erase(known.mapped());
}

bool turn_registry::make_room(const std::string& tenant) {
  const auto own = turns_.shares().held(tenant);
  std::shared_ptr<kept_turn> displaced;
  turns_.shares().visit_givers(tenant, [&](const std::string& giver) {
    if (giver == tenant || turns_.shares().held(giver) <= own + 1) return false;
    const auto oldest = turns_.oldest(giver, [](const std::shared_ptr<kept_turn>& turn) { return !turn->is_read(); });
    if (oldest) displaced = (*oldest)->item;
    return !oldest;
  });
  if (!displaced) return false;
  erase(known_as(*displaced));
  displaced->stop();
  return true;
}

void turn_registry::forget(const kept_turn& turn) {
  const std::lock_guard lock(mutex_);
  if (const auto known = known_as(turn); known != by_scope_.end()) erase(known);
}

bool turn_registry::ended(kept_turn& turn) {
  const std::lock_guard lock(mutex_);
  if (known_as(turn) == by_scope_.end()) return false;
  by_turn_.emplace(&turn, answers_.add(turn.key().tenant, &turn));
  return true;
}

bool turn_registry::add_bytes(const std::string& tenant, std::size_t bytes) {
  const bool is_within = bytes_.take(tenant, bytes);
  if (!bytes_.is_over()) return is_within;
  give_up_answers(tenant);
  return bytes_.is_within(tenant);
}

void turn_registry::give_up_answers(const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  for (const auto& giver : bytes_.givers(tenant))
    while (bytes_.is_over()) {
      // One that somebody reads right now stays.
      const auto oldest = answers_.oldest(giver, [](kept_turn* turn) { return turn->discard_unread(); });
      if (!oldest) break;
      forget_answer(*(*oldest)->item);
    }
}

void turn_registry::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  std::vector<std::shared_ptr<kept_turn>> stopped;
  for (const auto& [scope, place] : by_scope_) stopped.push_back(place->item);
  while (!by_scope_.empty()) erase(by_scope_.begin());
  lock.unlock();
  for (const auto& turn : stopped) turn->stop();
}

std::size_t turn_registry::size() const {
  const std::lock_guard lock(mutex_);
  return turns_.size();
}

}  // namespace troupe::gateway
