#include "engine/core/session_gate.hpp"

#include <algorithm>
#include <span>

#include "messages/base/limits.hpp"

namespace troupe::core {

std::uint64_t session_gate::session::blocks() const {
  std::uint64_t most = std::max(context, ended);
  for (const auto& [id, expected] : turns) most = std::max(most, expected);
  return most - std::min(most, shared);
}

/// Blocks that are here of its prompt: somebody else's, of a session that owns nothing yet.
std::uint64_t session_gate::blocks_matched(const sequence_spec& spec) const {
  const auto limit = std::min(spec.chain.size(), (spec.tokens.size() - 1) / pool_.block_tokens());
  return pool_.peek_prefix(std::span(spec.chain).first(limit), spec.hasher.root(), spec.tokens).matched;
}

std::uint64_t session_gate::blocks_expected(const sequence_spec& spec) const {
  return (tokens_expected(spec) + pool_.block_tokens() - 1) / pool_.block_tokens();
}

bool session_gate::must_wait(const sequence_spec& spec) const {
  const bool is_counted = options_.wait_max.count() > 0 && !spec.is_ahead;
  return is_counted && !spec.is_subagent && !sessions_.contains(key_of(spec)) && sessions_.size() < limits::sessions_counted_max;
}

void session_gate::admit(sequence_spec spec, instant now) {
  if (!must_wait(spec)) return let_in(std::move(spec));
  const order place{-std::int64_t{spec.priority}, spec.arrival};
  waiting_.emplace(place, newcomer{std::move(spec), now});
}

bool session_gate::has_room_for(const sequence_spec& spec, instant now) const {
  std::uint64_t at_work = 0;
  for (const auto& [key, each] : sessions_)
    if (each.is_at_work(now) && each.priority >= spec.priority) at_work += each.blocks();
  if (at_work == 0) return true;
  const auto whole = blocks_expected(spec);
  return at_work + whole - std::min(whole, blocks_matched(spec)) <= blocks_kept_max_;
}

/// Nobody overtakes the first of the newcomers, or a large one would wait for its whole bound behind small ones.
std::vector<sequence_spec> session_gate::take_let_in(instant now) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    newcomer& each = at->second;
    const bool is_known = !must_wait(each.spec);  // another turn of its session has been let in
    const bool is_over = now >= each.since + options_.wait_max;
    const bool has_room = at == waiting_.begin() && !is_known && has_room_for(each.spec, now);
    if (!is_known && !is_over && !has_room) {
      each.has_waited = true;
      ++at;
      continue;
    }
    if (each.has_waited) ++(has_room || is_known ? ended_by_room_ : ended_by_bound_);
    let_in(std::move(each.spec));
    demote(now);  // behind it: the newcomer counts as all do, once and without what it shares
    at = waiting_.erase(at);
  }
  return std::exchange(let_in_, {});
}

void session_gate::let_in(sequence_spec spec) {
  note_turn(spec);
  let_in_.push_back(std::move(spec));
}

void session_gate::note_turn(const sequence_spec& spec) {
  if (options_.wait_max.count() == 0 || spec.is_ahead) return;
  const auto key = key_of(spec);
  if (!sessions_.contains(key) && sessions_.size() >= limits::sessions_counted_max) return;
  const auto [at, is_new] = sessions_.try_emplace(key);
  session& of = at->second;
  if (is_new || of.owner != spec.owner) {  // new, or its history was rewritten: what it shares with its former self is the former owner's
    if (!is_new) by_owner_.erase(of.owner);
    by_owner_[spec.owner] = key;
    of.owner = spec.owner;
    of.context = of.ended = of.shared = 0;
  }
  // More is here than it has ever had: others had it. So a short call of its own before its first prompt does not hide what that shares.
  const auto matched = blocks_matched(spec);
  if (matched > of.context) of.shared = std::max(of.shared, matched - of.context);
  of.priority = spec.priority;
  of.is_demoted = false;
  of.turns[spec.id] = blocks_expected(spec);
  by_turn_[spec.id] = key;
}

void session_gate::demote(instant now) {
  std::uint64_t kept = 0;
  std::vector<session*> resting;
  for (auto& [key, each] : sessions_) {
    if (each.is_demoted) continue;
    kept += each.blocks();
    if (!each.is_at_work(now)) resting.push_back(&each);
  }
  std::ranges::sort(resting, {}, [](const session* each) { return std::pair{each->rests_since, each->owner.value}; });
  for (session* each : resting) {
    if (kept <= blocks_kept_max_) return;
    kept -= each->blocks();
    each->is_demoted = true;
    demoted_.push_back(each->owner);
  }
}

void session_gate::end_turn(request_id id, instant now) {
  const auto turn = by_turn_.extract(id);
  if (!turn) return;
  const auto found = sessions_.find(turn.mapped());
  if (found == sessions_.end()) return;
  session& of = found->second;
  if (const auto ended = of.turns.extract(id)) of.ended = std::max(of.ended, ended.mapped());
  // How it goes on is said a little later.
  if (of.unsaid.size() == limits::turns_per_session_max) of.unsaid.erase(of.unsaid.begin());
  of.unsaid.push_back(id);
  of.unsaid_until = now + instant{limits::pause_soon};
  of.rests_since = now;
}

void session_gate::rest(owner_id owner, std::uint64_t context_tokens, const session_rest& how, instant now) {
  const auto known = by_owner_.find(owner);
  if (known == by_owner_.end()) return;
  session& of = sessions_.at(known->second);
  of.context = std::max(of.context, context_tokens / pool_.block_tokens());
  if (how.is_side)
    std::erase(of.unsaid, how.turn);
  else
    of.unsaid.clear();
  if (of.unsaid.empty()) of.ended = 0;
  if (how.is_side) return;
  of.rests_since = now;
  const double soon_s = std::chrono::duration<double>(limits::pause_soon).count();
  const bool is_soon = how.is_tool_pause && how.median_s < soon_s;
  const double counted_s = how.late_s < 0 ? soon_s : std::min(how.late_s, soon_s);
  of.at_work_until = is_soon ? now + std::chrono::duration_cast<instant>(std::chrono::duration<double>(counted_s)) : instant{0};
}

void session_gate::release_owner(owner_id owner) {
  const auto known = by_owner_.extract(owner);
  if (!known) return;
  const auto found = sessions_.find(known.mapped());
  for (const auto& [id, blocks] : found->second.turns) by_turn_.erase(id);
  sessions_.erase(found);
}

bool session_gate::cancel(request_id id) {
  const auto is_it = [id](const sequence_spec& spec) { return spec.id == id; };
  return std::erase_if(waiting_, [&](const auto& each) { return is_it(each.second.spec); }) + std::erase_if(let_in_, is_it) > 0;
}

std::vector<request_id> session_gate::take_late(instant now) {
  std::vector<request_id> late;
  std::erase_if(waiting_, [&](const auto& each) {
    const auto& spec = each.second.spec;
    const bool is_late = spec.deadline.count() != 0 && now >= spec.deadline;
    if (is_late) late.push_back(spec.id);
    return is_late;
  });
  return late;
}

bool session_gate::knows(request_id id) const {
  const auto is_it = [id](const sequence_spec& spec) { return spec.id == id; };
  return std::ranges::any_of(waiting_, [&](const auto& each) { return is_it(each.second.spec); }) || std::ranges::any_of(let_in_, is_it);
}

std::uint64_t session_gate::tokens_waiting() const {
  std::uint64_t tokens = 0;
  for (const auto& [place, each] : waiting_) tokens += each.spec.tokens.size();
  return tokens;
}

session_gate_counts session_gate::counts() const noexcept {
  return {static_cast<std::uint32_t>(waiting_.size()), ended_by_room_, ended_by_bound_};
}

}  // namespace troupe::core
