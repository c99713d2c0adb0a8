#include "engine/core/tier_traffic.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::core {
namespace {

constexpr std::uint32_t overtaken_max = 8;      // by hits; then a turn that does not fit holds up everybody behind it
constexpr std::uint32_t leaving_part = 4;       // of a pool: one in so many blocks is copied before it may have to leave
constexpr std::uint32_t looked_again_part = 64;  // of it has changed
constexpr std::uint32_t leaving_slack_part = 8;  // so that what is about as near to leaving is not told of again and again
constexpr std::ptrdiff_t overtaking_looks = 4;  // turns behind it that are looked at: each look costs the length of a prompt

}  // namespace

tier_traffic::tier_traffic(block_pool& pool, scheduler& turns, backend& device, const session_gate_options& admission)
    : pool_(pool), turns_(turns), up_(pool, device), down_(pool, device, up_), holds_(pool, up_), sessions_(admission, pool) {
  turns_.set_gate(*this);
}

void tier_traffic::attach(std::uint64_t blocks, offload_rule rule) {
  attached_ = true;
  rule_ = pool_.foresees() ? rule : offload_rule::write_through;
  const std::uint64_t device = pool_.block_count();
  // Of two that hold the same the larger counts.
  sessions_.set_capacity(rule_ == offload_rule::write_through ? std::max(device, blocks) : device - device / leaving_part + blocks);
  out_ = {};
  pool_.forget_outlooks();
  has_changed_ = true;
  holds_.release_all();
  up_.tier_changed();
  down_.tier_changed();
}

void tier_traffic::detach() {
  attach(0, rule_);  // whoever waits for blocks is let go
  attached_ = false;
  sessions_.set_capacity(pool_.block_count());
}

expected<std::monostate> tier_traffic::admit(sequence_spec spec, instant now, const scheduler_options& limits) {
  const auto id = spec.id;
  if (down_.knows(id) || turns_.knows(id) || sessions_.knows(id) || find_pending(id) != pending_.end()) return std::monostate{};
  if (auto refused = turns_.refusal(spec)) return *std::move(refused);
  if (down_.size() + pending() >= limits.waiting_max) return failure{errc::queue_full, "too many turns wait for room", ""};
  if (!spec.is_ahead) owners_.emplace(id, spec.owner);
  running_max_ = limits.running_max;
  now_ = now;
  spec.arrival = ++arrivals_;
  sessions_.admit(std::move(spec), now);
  return std::monostate{};
}

tier_traffic::pending_turns::iterator tier_traffic::find_pending(request_id id) {
  return std::ranges::find_if(pending_, [id](const auto& each) { return each.second.spec.id == id; });
}

void tier_traffic::wait_for_room(sequence_spec spec) {
  has_changed_ = true;
  const order place{-std::int64_t{spec.priority}, spec.arrival};
  pending_.emplace(place, pending_turn{std::move(spec)});
}

void tier_traffic::close_turn(const sequence_spec& spec, std::span<const block_index> table) {
  if (table.empty()) return end_unstarted(spec.id);
  owners_.erase(spec.id);
  has_changed_ = true;
  if (!attached_ || spec.is_ahead) return;
  out_.closings.push_back({spec.owner, {.turn = opening_of(spec).turn}, {}});
  if (rule_ == offload_rule::write_through) lower(spec.owner, opening_of(spec).turn, table);
}

/// The tier may have heard that it began, and the device may have nothing of it: what the tier has counts again.
void tier_traffic::end_unstarted(request_id id) {
  const auto ended = owners_.extract(id);
  if (!ended || !attached_) return;
  out_.closings.push_back({ended.mapped(), {.turn = id.value}, {}});
  lower(ended.mapped(), std::nullopt, {});
}

/// The tier is to count its copies among those of sessions that are away, and to take what it would not take while the device kept it.
void tier_traffic::lower(owner_id owner, std::optional<std::uint64_t> turn, std::span<const block_index> left) {
  out_.outlooks.push_back({owner, turn});
  up_.offer_again(left);
}

/// What will leave next is copied before it leaves: a part of the pool, and what those let in and the next one will displace.
void tier_traffic::foresee() {
  if (!attached_ || rule_ == offload_rule::write_through || !std::exchange(has_changed_, false)) return;
  blocks_changed_ = 0;
  std::uint64_t blocks = pool_.block_count() / leaving_part + blocks_taken() + down_.blocks_committed();
  if (!pending_.empty()) {
    const auto& next = pending_.begin()->second.spec;
    blocks += down_.blocks_for(tokens_expected(next)) - peek(next).matched;
  }
  const auto free = std::min<std::uint64_t>(blocks, pool_.counts().free);
  const auto leaving = static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks - free, pool_.block_count()));
  for (const auto& each : pool_.take_outlooks(leaving, pool_.block_count() / leaving_slack_part)) {
    if (each.is_leaving) lower(each.owner, each.turn, each.blocks);
    if (!each.is_leaving) out_.outlooks.push_back({each.owner, each.turn, false});
  }
}

std::uint32_t tier_traffic::demote(owner_id owner) {
  if (attached_) lower(owner, std::nullopt, pool_.blocks_of(owner));
  return pool_.demote_owner(owner);
}

/// What the tier has or will have of it soon is copied back when there is room again; only the block that was being written is lost.
void tier_traffic::take_back(sequence_spec preempted, std::vector<block_index> leased) {
  if (attached_) {
    close_turn(preempted, leased);
    if (rule_ == offload_rule::on_eviction) lower(preempted.owner, opening_of(preempted).turn, leased);
    holds_.take(leased, now_);
  } else {
    for (const block_index block : leased | std::views::reverse) pool_.release(block);
  }
  if (!preempted.is_ahead) owners_.emplace(preempted.id, preempted.owner);
  if (preempted.arrival == 0) preempted.arrival = ++arrivals_;  // it did not come through here
  wait_for_room(std::move(preempted));
}

std::size_t tier_traffic::blocks_usable(const sequence_spec& spec) const {
  return std::min(spec.chain.size(), (spec.tokens.size() - 1) / pool_.block_tokens());
}

/// To the policy a session whose turn waits is back: its prefix is not to leave for that of one which is away.
void tier_traffic::announce_pending() {
  std::vector<block_index> found;
  for (auto& [place, each] : pending_) {
    if (std::exchange(each.is_announced, true) || each.spec.is_ahead) continue;
    const auto& spec = each.spec;
    const auto opening = opening_of(spec);
    pool_.acquire_prefix(std::span(spec.chain).first(blocks_usable(spec)), spec.hasher.root(), spec.tokens, spec.owner, found, &opening);
    for (const block_index block : found | std::views::reverse) pool_.release(block);
    found.clear();
  }
}

/// With nothing else under way it goes in any case.
bool tier_traffic::has_room_for(const sequence_spec& next) const {
  const auto load = turns_.load();
  const auto before = load.running + load.waiting + down_.admissions();
  if (before == 0) return true;
  return before < running_max_ && blocks_missing(next) == 0;
}

block_pool::prefix_peek tier_traffic::peek(const sequence_spec& spec) const {
  return pool_.peek_prefix(std::span(spec.chain).first(blocks_usable(spec)), spec.hasher.root(), spec.tokens);
}

std::uint64_t tier_traffic::blocks_missing(const sequence_spec& next) const {
  const auto held = peek(next);
  const auto taken = blocks_taken() + down_.blocks_committed();
  const std::uint64_t whole = down_.blocks_for(tokens_expected(next));
  const std::uint64_t needed = whole - held.matched + taken, there = pool_.available() - held.idle;
  return needed - std::min(needed, there);
}

/// What it displaces is being copied. It waits for that, but not for long, nor after one that has waited in vain: a tier that is slow costs
/// hits. Who is urgent does not wait.
bool tier_traffic::must_wait_for_copies(const sequence_spec& entering) {
  if (!up_.is_saving()) copies_due_.reset();
  const bool fits = down_.blocks_for(tokens_expected(entering)) - peek(entering).matched <= pool_.counts().free;
  if (!up_.is_saving() || fits || entering.priority > 0) return false;
  if (!copies_due_) copies_due_ = now_ + instant{limits::leaving_copy_wait};
  return now_ < *copies_due_;
}

/// Who gives way comes back by a copy. True when room may be there at once.
bool tier_traffic::make_room_for(const sequence_spec& next) {
  if (!holds_.empty() || blocks_missing(next) > turns_.blocks_below(next.priority)) return false;
  return turns_.preempt_below(next.priority);
}

/// By sequences that the scheduler has: what running ones are expected to ask for, and what waiting ones lack.
std::uint64_t tier_traffic::blocks_taken() const {
  const auto awaited = turns_.blocks_awaited();
  return turns_.blocks_expected() + awaited - std::min(awaited, down_.blocks_parked());
}

/// Its prompt is on the device, but for the end.
bool tier_traffic::is_hit(const sequence_spec& spec) const {
  const auto usable = blocks_usable(spec);
  return usable > 0 && peek(spec).matched >= usable - usable / 8;
}

/// The first; or, while that does not fit, a hit of the same priority behind it, for which hardly any room is needed.
tier_traffic::pending_turns::iterator tier_traffic::next_to_enter() {
  const auto first = pending_.begin();
  if (has_room_for(first->second.spec)) return first;
  if (first->second.overtaken >= overtaken_max) return pending_.end();
  const auto looked_at = std::ranges::next(first, 1 + overtaking_looks, pending_.end());
  for (auto at = std::next(first); at != looked_at && at->first.first == first->first.first; ++at) {
    if (is_hit(at->second.spec) && has_room_for(at->second.spec)) return at;
  }
  return pending_.end();
}

void tier_traffic::let_in(instant now, std::vector<sequence_event>& events) {
  if (attached_ && rule_ == offload_rule::on_eviction) announce_pending();  // who waits for room is not foretold to leave
  while (!pending_.empty()) {
    foresee();
    const auto entering = next_to_enter();
    if (entering == pending_.end()) {
      if (make_room_for(pending_.begin()->second.spec)) continue;
      return;
    }
    if (must_wait_for_copies(entering->second.spec)) return;
    if (entering != pending_.begin()) ++pending_.begin()->second.overtaken;
    auto next = std::move(entering->second.spec);
    pending_.erase(entering);
    ask(std::move(next), now);
    admit_ready(events);  // so that the next look sees it
  }
}

void tier_traffic::admit_ready(std::vector<sequence_event>& events) {
  for (auto& spec : down_.take_ready()) {
    const auto id = spec.id;
    auto admitted = turns_.admit(std::move(spec));
    if (admitted) continue;
    end_unstarted(id);
    events.emplace_back(sequence_ended{id, finish_reason::failed, admitted.error()});
  }
}

void tier_traffic::ask(sequence_spec spec, instant now) {
  const auto id = spec.id;
  has_changed_ = true;
  auto question = down_.ask(std::move(spec), now);
  if (!attached_) return down_.granted({question.number, id, question.from, {}, nullptr});
  up_.note_use(question.chain->blocks);
  if (question.from < question.chain->blocks.size()) {
    if (const double rate = turns_.load().prefill_tokens_per_s; rate > 0) question.computed_block_s = pool_.block_tokens() / rate;
    return out_.questions.push_back(std::move(question));
  }
  // All of it is on the device: the tier only hears that it is used.
  out_.touches.push_back({question.owner, std::move(question.chain), question.opening});
  down_.granted({question.number, id, question.from, {}, nullptr});
}

void tier_traffic::prefetch(sequence_spec spec, instant now) {
  const auto id = spec.id;
  if (down_.knows(id)) return;  // said twice: one answer serves both
  spec.arrival = ++arrivals_;
  auto question = down_.ask(std::move(spec), now, onboarder::purpose::prefetch);
  if (attached_ && question.from < question.chain->blocks.size()) return out_.questions.push_back(std::move(question));
  down_.granted({question.number, id, question.from, {}, nullptr});
}

void tier_traffic::cancel(request_id id, std::vector<sequence_event>& events) {
  const auto waits = find_pending(id);
  const bool is_pending = waits != pending_.end();
  if (is_pending) pending_.erase(waits);
  if (!is_pending && !sessions_.cancel(id) && !down_.cancel(id)) return turns_.cancel(id, finish_reason::cancelled, events);
  end_unstarted(id);
  events.emplace_back(sequence_ended{id, finish_reason::cancelled, {errc::cancelled, "the turn was cancelled", ""}});
}

void tier_traffic::note(std::span<const block_event> events) {
  blocks_changed_ += events.size();
  has_changed_ |= blocks_changed_ > pool_.block_count() / looked_again_part;
  if (attached_) up_.note(events);
}

bool tier_traffic::complete(ticket_id ticket, const step_result& result) {
  if (auto commit = up_.complete(ticket, result)) {
    out_.commits.push_back(*std::move(commit));
    return true;
  }
  return down_.complete(ticket, result);
}

std::vector<request_id> tier_traffic::take_late(instant now) {
  auto late = down_.take_late(now);
  std::ranges::copy(sessions_.take_late(now), std::back_inserter(late));
  std::erase_if(pending_, [&](const auto& each) {
    const auto& spec = each.second.spec;
    const bool is_late = spec.deadline.count() != 0 && now >= spec.deadline;
    if (is_late) late.push_back(spec.id);
    return is_late;
  });
  return late;
}

std::uint64_t tier_traffic::tokens_waiting() const {
  std::uint64_t tokens = down_.tokens_waiting() + sessions_.tokens_waiting();
  for (const auto& [place, each] : pending_) tokens += each.spec.tokens.size();
  return tokens;
}

void tier_traffic::pump(instant now, std::vector<sequence_event>& events) {
  now_ = now;
  holds_.release_done(now);
  for (const auto id : take_late(now)) {
    end_unstarted(id);
    events.emplace_back(sequence_ended{id, finish_reason::deadline, {errc::deadline_exceeded, "the turn's deadline has passed", ""}});
  }
  for (auto& spec : sessions_.take_let_in(now)) wait_for_room(std::move(spec));
  for (const auto owner : sessions_.take_demoted()) demote(owner);
  admit_ready(events);  // before their leases are looked at
  const auto load = turns_.load();
  // With nothing running, whoever is first in the queue may need what is parked for others.
  down_.unpark([&](request_id id) { return load.running > 0 && turns_.is_waiting(id); });
  let_in(now, events);
  // What is being copied down gives its room back, and all before it, without anybody running.
  down_.pump({blocks_taken(), load.prefill_tokens_per_s, load.running == 0 && !up_.is_copying() && holds_.empty()}, now);
  admit_ready(events);
  announce_pending();
  foresee();
  turns_.reserve(down_.blocks_reserved());
}

tier_messages tier_traffic::take_messages(instant now) {
  if (!attached_) return {};
  for (auto& refused : up_.take_refused()) out_.commits.push_back(std::move(refused));
  out_.offer = up_.offer(now);
  for (auto& end : down_.take_ends()) out_.ends.push_back(end);
  return std::exchange(out_, {});
}

std::vector<std::uint32_t> tier_traffic::leases() const {
  std::vector<std::uint32_t> held(pool_.block_count(), 0);
  up_.count_leases(held);
  down_.count_leases(held);
  holds_.count_leases(held);
  return held;
}

}  // namespace troupe::core
