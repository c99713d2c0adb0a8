#include "engine/core/route_queue.hpp"

#include <span>

namespace troupe::core {
namespace {

/// splitmix64's finaliser: consecutive numbers in, unrelated numbers out.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

expected<route_queue> route_queue::make(route_queue_options options) {
  if (make_routing_policy(options.policy)) return route_queue{std::move(options)};
  std::string known;
  for (auto name : routing_policy_names()) known.append(known.empty() ? "" : ", ").append(name);
  return failure{errc::invalid_request, "unknown routing policy '" + options.policy + "'; known are " + known, "policy"};
}

void route_queue::ask(route_ask ask, instant now) {
  release(ask.id);
  waiter turn{std::move(ask), std::nullopt, false};
  if (!grant(turn, now)) {
    if (waiting_.size() >= options_.waiting_max) {
      refuse(turn.ask.id, {errc::queue_full, "too many turns wait for a worker", {}});
    } else {
      const place where{-std::int64_t{turn.ask.priority}, arrivals_++};
      places_.emplace(turn.ask.id, where);
      waiting_.emplace(where, std::move(turn));
    }
  }
  wake(now);  // what the replaced ask had leased
}

bool route_queue::grant(waiter& turn, instant now) {
  turn.block.reset();
  const auto known = routers_.find(turn.ask.model);
  if (known == routers_.end() || !known->second.has_workers()) return false;
  auto& router = known->second;
  turn.ask.question.random = mix(options_.seed + draws_++);
  const auto chosen = router.choose(turn.ask.symbols, turn.ask.question);
  const auto missing = std::span{std::as_const(turn.ask.ids)}.subspan(chosen.matched_blocks);
  if (!missing.empty()) {
    const auto deadline = now + options_.lease;
    if ((turn.block = router.flights().claim(turn.ask.id, missing, now, deadline))) {
      turn.waited = true;
      return false;
    }
    leases_.insert_or_assign(turn.ask.id, lease{turn.ask.model, chosen.worker, deadline});
  }
  router.grant(chosen, turn.ask.question.prompt_tokens);
  answers_.push_back({turn.ask.id, chosen.worker, chosen.matched_blocks, turn.waited, {errc::none, {}, {}}});
  return true;
}

void route_queue::refuse(request_id id, failure why) { answers_.push_back({id, {}, 0, false, std::move(why)}); }

void route_queue::release(request_id id) {
  if (auto known = places_.extract(id)) waiting_.erase(known.mapped());
  if (auto held = leases_.extract(id)) routers_.at(held.mapped().model).flights().end(id);
}

void route_queue::end(request_id id, instant now) {
  release(id);
  wake(now);
}

bool route_queue::may_move(const waiter& turn, instant now) const {
  const auto known = routers_.find(turn.ask.model);
  if (known == routers_.end()) return false;
  const auto& router = known->second;
  return turn.block ? !router.flights().is_claimed(*turn.block, now) : router.has_workers();
}

void route_queue::wake(instant now) {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    if (may_move(each->second, now) && grant(each->second, now)) {
      places_.erase(each->second.ask.id);
      each = waiting_.erase(each);
    } else {
      ++each;
    }
  }
}

bool route_queue::join(worker_id worker, const model_id& model, std::uint64_t epoch, std::uint32_t block_tokens, instant now) {
  if (auto* known = router_of(worker); known && epoch <= known->epoch_of(worker)) return false;
  leave(worker, now);
  auto& router = routers_.try_emplace(model, make_routing_policy(options_.policy)).first->second;
  router.join(worker, epoch, block_tokens);
  models_.insert_or_assign(worker, model);
  wake(now);
  return true;
}

bool route_queue::join_tier(worker_id tier, const model_id& model, std::uint64_t epoch, std::vector<worker_id> readers, instant now) {
  if (auto* known = router_of(tier); known && epoch <= known->epoch_of(tier)) return false;
  leave(tier, now);
  auto& router = routers_.try_emplace(model, make_routing_policy(options_.policy)).first->second;
  router.join_tier(tier, epoch, std::move(readers));
  models_.insert_or_assign(tier, model);
  return true;
}

void route_queue::leave(worker_id worker, instant now) {
  auto* router = router_of(worker);
  if (!router) return;
  router->leave(worker);
  models_.erase(worker);
  std::erase_if(leases_, [&](const auto& held) {
    if (held.second.worker != worker) return false;
    router->flights().end(held.first);
    return true;
  });
  wake(now);
}

change_outcome route_queue::apply(worker_id worker, const block_changes& changes, instant now) {
  auto* router = router_of(worker);
  if (!router) return change_outcome::ignored;
  const auto outcome = router->apply(worker, changes, now);
  if (outcome == change_outcome::applied && !waiting_.empty()) wake(now);
  return outcome;
}

void route_queue::report(worker_id worker, std::uint64_t epoch, const worker_load& load) {
  if (auto* router = router_of(worker)) router->report(worker, epoch, load);
}

void route_queue::tick(instant now) {
  expire_leases(now);
  expire_waiters(now);
  wake(now);
}

void route_queue::expire_leases(instant now) {
  std::erase_if(leases_, [&](const auto& held) {
    if (now < held.second.deadline) return false;
    routers_.at(held.second.model).flights().end(held.first);
    return true;
  });
}

void route_queue::expire_waiters(instant now) {
  std::erase_if(waiting_, [&](const auto& each) {
    const auto& turn = each.second;
    if (now < turn.ask.deadline) return false;
    refuse(turn.ask.id, lateness(turn));
    places_.erase(turn.ask.id);
    return true;
  });
}

failure route_queue::lateness(const waiter& turn) const {
  if (turn.block) return {errc::deadline_exceeded, "another turn was still computing the prefix of this one", {}};
  if (routers_.contains(turn.ask.model)) return {errc::worker_lost, "every worker of the model is gone", {}};
  return {errc::not_ready, "no worker of the model has started", {}};
}

model_router* route_queue::router_of(worker_id worker) {
  const auto model = models_.find(worker);
  return model == models_.end() ? nullptr : &routers_.at(model->second);
}

}  // namespace troupe::core
