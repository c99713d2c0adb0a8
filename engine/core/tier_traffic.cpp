#include "engine/core/tier_traffic.hpp"

#include <utility>

namespace troupe::core {

void tier_traffic::attach() {
  attached_ = true;
  out_ = {};
  up_.tier_changed();
  down_.tier_changed();
}

void tier_traffic::detach() {
  attach();  // whoever waits is let go
  attached_ = false;
}

expected<std::monostate> tier_traffic::admit(sequence_spec spec, instant now, const scheduler_options& limits) {
  if (!attached_) return turns_.admit(std::move(spec));
  if (down_.knows(spec.id) || turns_.knows(spec.id)) return std::monostate{};
  if (auto refused = turns_.refusal(spec)) return *std::move(refused);
  if (down_.size() >= limits.waiting_max) return failure{errc::queue_full, "too many turns wait for blocks", ""};
  const auto id = spec.id;
  auto question = down_.ask(std::move(spec), now);
  if (question.from < question.chain->blocks.size()) {
    if (const double rate = turns_.load().prefill_tokens_per_s; rate > 0) question.computed_block_s = pool_.block_tokens() / rate;
    out_.questions.push_back(std::move(question));
    return std::monostate{};
  }
  // All of it is on the device: the tier only hears that it is used.
  out_.touches.push_back({question.owner, std::move(question.chain), question.opening});
  down_.granted({question.number, id, question.from, {}, nullptr});
  return std::monostate{};
}

void tier_traffic::prefetch(sequence_spec spec, instant now) {
  const auto id = spec.id;
  auto question = down_.ask(std::move(spec), now, onboarder::purpose::prefetch);
  if (attached_ && question.from < question.chain->blocks.size()) return out_.questions.push_back(std::move(question));
  down_.granted({question.number, id, question.from, {}, nullptr});
}

void tier_traffic::cancel(request_id id, std::vector<sequence_event>& events) {
  if (down_.cancel(id))
    events.emplace_back(sequence_ended{id, finish_reason::cancelled, {errc::cancelled, "the turn was cancelled", ""}});
  else
    turns_.cancel(id, finish_reason::cancelled, events);
}

void tier_traffic::note(std::span<const block_event> events) {
  if (attached_) up_.note(events);
}

bool tier_traffic::complete(ticket_id ticket, const step_result& result) {
  if (auto commit = up_.complete(ticket, result)) {
    out_.commits.push_back(*std::move(commit));
    return true;
  }
  return down_.complete(ticket, result);
}

void tier_traffic::pump(instant now, std::vector<sequence_event>& events) {
  for (const auto id : down_.take_late(now))
    events.emplace_back(sequence_ended{id, finish_reason::deadline, {errc::deadline_exceeded, "the turn's deadline has passed", ""}});
  const auto load = turns_.load();
  // With nothing running, whoever is first in the queue may need what is parked for others.
  down_.unpark([&](request_id id) { return load.running > 0 && turns_.is_waiting(id); });
  down_.pump({turns_.blocks_promised(), load.prefill_tokens_per_s, load.running == 0}, now);
  for (auto& spec : down_.take_ready()) {
    const auto id = spec.id;
    if (auto admitted = turns_.admit(std::move(spec)); !admitted)
      events.emplace_back(sequence_ended{id, finish_reason::failed, admitted.error()});
  }
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
  return held;
}

}  // namespace troupe::core
