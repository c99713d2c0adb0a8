#include "gateway/turn_registry.hpp"

#include <utility>

#include "gateway/connection.hpp"
#include "gateway/kept_turn.hpp"

namespace troupe::gateway {

expected<std::shared_ptr<kept_turn>> turn_registry::find(const turn_key& key) {
  const std::lock_guard lock(mutex_);
  return look_up(key);
}

expected<std::shared_ptr<kept_turn>> turn_registry::look_up(const turn_key& key) {
  const auto found = turns_.find(key.scope);
  if (found == turns_.end()) return std::shared_ptr<kept_turn>();
  if (found->second->key().digest != key.digest)
    return failure{errc::idempotency_mismatch, "this 'idempotency-key' names the turn of a request with another body", "idempotency-key"};
  if (found->second->join()) return found->second;
  turns_.erase(found);  // cancelled, and about to be forgotten
  return std::shared_ptr<kept_turn>();
}

expected<turn_registry::claim> turn_registry::open(const turn_key& key, const std::shared_ptr<const connection_context>& context) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return failure{errc::draining, "the gateway is shutting down", {}};
  auto known = look_up(key);
  if (!known) return known.error();
  if (*known) return claim{*std::move(known), false};
  if (turns_.size() >= turns_max_)
    return failure{errc::queue_full, "too many turns with an 'idempotency-key' are kept; each is forgotten some time after its end", {}};
  auto made = std::make_shared<kept_turn>(context, key);
  made->join();
  turns_.emplace(key.scope, made);
  return claim{std::move(made), true};
}

void turn_registry::forget(const kept_turn& turn) {
  const std::lock_guard lock(mutex_);
  std::erase(ended_, &turn);
  const auto found = turns_.find(turn.key().scope);
  if (found != turns_.end() && found->second.get() == &turn) turns_.erase(found);
}

bool turn_registry::ended(kept_turn& turn) {
  const std::lock_guard lock(mutex_);
  const auto found = turns_.find(turn.key().scope);
  if (found == turns_.end() || found->second.get() != &turn) return false;
  ended_.push_back(&turn);
  return true;
}

bool turn_registry::add_bytes(std::size_t bytes) {
  if ((bytes_ += bytes) <= bytes_max_) return true;
  give_up_oldest();
  return bytes_ <= bytes_max_;
}

void turn_registry::give_up_oldest() {
  const std::lock_guard lock(mutex_);
  std::deque<kept_turn*> read;  // by somebody, right now
  while (bytes_ > bytes_max_ && !ended_.empty()) {
    auto* oldest = ended_.front();
    ended_.pop_front();
    if (!oldest->discard_unread()) read.push_back(oldest);
  }
  ended_.insert(ended_.begin(), read.begin(), read.end());
}

void turn_registry::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  ended_.clear();
  const auto stopped = std::exchange(turns_, {});
  lock.unlock();
  for (const auto& [scope, turn] : stopped) turn->stop();
}

std::size_t turn_registry::size() const {
  const std::lock_guard lock(mutex_);
  return turns_.size();
}

}  // namespace troupe::gateway
