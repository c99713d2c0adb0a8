#include "actors/model_worker.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using core::instant;

expected<model_worker_options> fitted(model_worker_options options, const core::backend_traits& traits) {
  auto& pool = options.pool;
  if (pool.block_count == 0) pool.block_count = traits.block_count;
  if (pool.block_tokens != traits.block_tokens)
    return failure{errc::invalid_request, "the pool's block_tokens differ from the backend's", "block_tokens"};
  if (pool.block_count > traits.block_count)
    return failure{errc::invalid_request, "the pool has more blocks than the backend", "block_count"};
  options.scheduler.running_max = std::min(options.scheduler.running_max, traits.slots);
  return options;
}

/// What nobody says otherwise of is output from where the worker generates.
std::vector<core::role_range> roles_of(const admit_request& request) {
  auto roles = request.roles;
  const auto begin = static_cast<std::uint32_t>(request.tokens.size());
  if (roles.empty() || roles.back().token_end < begin) roles.push_back({core::block_role::unknown, begin});
  roles.push_back({core::block_role::output, UINT32_MAX});
  return roles;
}

core::sequence_spec spec_of(admit_request request, const core::block_hasher& hasher, instant now) {
  auto roles = roles_of(request);
  core::sequence_spec spec{.id = request.id,
                           .tokens = std::move(request.tokens),
                           .continued = request.continued,
                           .chain = std::move(request.chain),
                           .roles = std::move(roles),
                           .hasher = hasher,
                           .owner = request.owner,
                           .tenant = request.tenant,
                           .input = request.input,
                           .max_tier = request.max_tier,
                           .sampling = request.sampling,
                           .tokens_max = request.tokens_max,
                           .tokens_min = request.tokens_min,
                           .output_tokens = request.output_tokens,
                           .stop_tokens = std::move(request.stop_tokens),
                           .priority = request.priority,
                           .is_ahead = request.is_ahead,
                           .deadline = instant{0},
                           .session = request.session,
                           .is_subagent = request.is_subagent};
  hasher.extend(spec.chain, spec.tokens);
  if (request.timeout_ms != 0) spec.deadline = now + std::chrono::milliseconds{request.timeout_ms};
  return spec;
}

std::int64_t ms_of(double seconds) { return std::llround(seconds * 1000); }

double hint_s_of(const tool_pause& pause) { return pause.expected_ms < 0 ? -1 : static_cast<double>(pause.expected_ms) / 1000; }

/// A negative token would name a sample slot, and one beyond the vocabulary would read past the embedding.
bool holds_unknown_token(const std::vector<token_id>& tokens, std::uint32_t vocabulary) {
  return std::any_of(tokens.begin(), tokens.end(), [vocabulary](token_id token) {
    return token < 0 || (vocabulary != 0 && static_cast<std::uint32_t>(token) >= vocabulary);
  });
}

}  // namespace

expected<std::unique_ptr<model_worker>> model_worker::make(model_worker_options options, std::unique_ptr<core::backend> backend) {
  auto fit = fitted(std::move(options), backend->traits());
  if (!fit) return fit.error();
  return std::unique_ptr<model_worker>{new model_worker{*std::move(fit), std::move(backend)}};
}

model_worker::model_worker(model_worker_options options, std::unique_ptr<core::backend> backend)
    : options_{std::move(options)},
      pool_{options_.pool},
      scheduler_{options_.scheduler, pool_},
      backend_{std::move(backend)},
      tiers_{pool_, scheduler_, *backend_, options_.admission} {}

// What is in flight names blocks of the pool and slots that the tier traffic keeps: the backend goes first.
model_worker::~model_worker() { backend_.reset(); }

expected<request_id> model_worker::admit(admit_request request, instant now) {
  if (holds_unknown_token(request.tokens, backend_->traits().vocabulary))
    return failure{errc::invalid_request, "a token is not in the vocabulary", "tokens"};
  if (request.roles.size() > limits::role_ranges_max) return failure{errc::invalid_request, "the roles have too many ranges", "roles"};
  const auto id = request.id;
  const auto paused = request.paused;
  const core::block_hasher hasher{request.scope_seed, options_.pool.block_tokens};
  if (auto admitted = tiers_.admit(spec_of(std::move(request), hasher, now), now, options_.scheduler); !admitted) return admitted.error();
  if (paused.took_ms >= 0)
    pauses_.record({paused.tool, paused.is_subagent}, static_cast<double>(paused.took_ms) / 1000, hint_s_of(paused));
  return id;
}

expected<request_id> model_worker::prefetch(const prefetch_request& request, instant now) {
  if (request.tokens.empty() || holds_unknown_token(request.tokens, backend_->traits().vocabulary))
    return failure{errc::invalid_request, "a prefetch needs tokens of the vocabulary", "tokens"};
  admit_request asked;
  asked.id = request.id;
  asked.tokens = request.tokens;
  asked.chain = request.chain;
  asked.owner = request.owner;
  asked.tenant = request.tenant;
  asked.timeout_ms = request.timeout_ms;
  auto spec = spec_of(std::move(asked), core::block_hasher{request.scope_seed, options_.pool.block_tokens}, now);
  if (auto refused = scheduler_.refusal(spec)) return *std::move(refused);
  tiers_.prefetch(std::move(spec), now);
  return request.id;
}

std::vector<prefetch_done> model_worker::take_prefetched() {
  std::vector<prefetch_done> done;
  for (const auto& each : tiers_.take_prefetched()) done.push_back({each.id, each.blocks_onboarded, each.blocks_ready});
  return done;
}

void model_worker::cancel(request_id id) { tiers_.cancel(id, events_); }

owner_released model_worker::release(const owner_release& release) {
  tiers_.sessions().release_owner(release.owner);
  if (!release.head.empty()) pool_.bequeath(release.owner, release.heir, release.head);
  return {pool_.release_owner(release.owner, release.cause)};
}

intent_applied model_worker::apply(const owner_intent& intent) {
  const auto result = pool_.apply({intent.owner, intent.generation, intent.wishes});
  return {result.generation, result.blocks_pinned, result.blocks_clipped};
}

void model_worker::forget(const owner_forget& forgotten) {
  tiers_.reconsider();
  pool_.forget(forgotten.owner, forgotten.blocks, forgotten.cause);
}

pause_forecast model_worker::finish(const turn_outcome& outcome) {
  tiers_.reconsider();
  pool_.finish_turn(outcome.owner, closing_of(outcome));
  pool_.correct_roles(outcome.roles);
  pause_forecast told;
  const double rate = tiers_.onboarded().blocks_per_s;
  if (rate > 0) told.load_ms = ms_of((outcome.prompt_tokens + outcome.output_tokens) / options_.pool.block_tokens / rate);
  core::session_rest rest{.is_tool_pause = outcome.end == core::turn_end::tool_calls, .is_side = outcome.is_side, .turn = outcome.id};
  const auto& pause = outcome.pause;
  if (const auto known = pauses_.forecast({pause.tool, pause.is_subagent}, hint_s_of(pause)); known && rest.is_tool_pause) {
    rest.median_s = known->median_s;
    rest.late_s = known->late_s;
    told.early_ms = ms_of(known->early_s);
    told.median_ms = ms_of(known->median_s);
    told.late_ms = ms_of(known->late_s);
  }
  tiers_.sessions().rest(outcome.owner, outcome.prompt_tokens + outcome.output_tokens, rest, time_);
  return told;
}

void model_worker::complete(ticket_id ticket, const core::step_result& result) {
  if (!tiers_.complete(ticket, result)) scheduler_.complete(ticket, result, events_);
}

void model_worker::pump(instant now) {
  tiers_.pump(now, events_);
  while (auto plan = scheduler_.plan(now, events_)) scheduler_.submitted(backend_->submit(*std::move(plan)));
}

std::vector<sequence_progress> model_worker::take_progress() {
  for (const auto& event : events_)
    if (const auto* ended = std::get_if<core::sequence_ended>(&event)) tiers_.sessions().end_turn(ended->id, time_);
  return batch_progress(std::exchange(events_, {}));
}

// A cached block's parent is cached too, so a parent that is not cached is a root. A child that left later in the same batch may
// be misnamed by this, but then its removal follows in the same list.
void model_worker::orphan_roots(std::vector<core::block_event>& events) const {
  for (auto& event : events)
    if (event.what == core::block_event::kind::stored && !pool_.is_cached(event.parent)) event.parent = {};
}

std::optional<block_events> model_worker::take_block_events() {
  auto changes = pool_.take_events();
  if (changes.empty()) return std::nullopt;
  tiers_.note(changes);
  orphan_roots(changes);
  const auto first = std::exchange(events_announced_, events_announced_ + changes.size());
  return block_events{options_.worker, options_.epoch, first, std::move(changes), false};
}

block_events model_worker::snapshot() const {
  auto cached = pool_.snapshot();
  orphan_roots(cached);
  return {options_.worker, options_.epoch, events_announced_, std::move(cached), true};
}

load_report model_worker::load() const {
  const auto load = scheduler_.load();
  const auto moved = tiers_.onboarded();
  const auto free = pool_.counts().free;
  return {.worker = options_.worker,
          .epoch = options_.epoch,
          .running = load.running,
          .waiting = load.waiting + moved.waiting + tiers_.pending(),
          .free_blocks = free,
          .evictable_blocks = pool_.available() - free,
          .prefill_tokens_waiting = load.prefill_tokens_waiting + tiers_.tokens_waiting(),
          .prefill_tokens_per_s = load.prefill_tokens_per_s,
          .decode_tokens_per_s = load.decode_tokens_per_s,
          .onboard_blocks_per_s = moved.blocks_per_s};
}

worker_status model_worker::status() const {
  const auto load = scheduler_.load();
  const auto blocks = pool_.counts();
  const auto moved = tiers_.onboarded();
  const auto leases = tiers_.leases();
  const auto sessions = tiers_.sessions().counts();
  return {.worker = options_.worker,
          .model = options_.model,
          .epoch = options_.epoch,
          .blocks_total = blocks.total,
          .blocks_free = blocks.free,
          .blocks_leased = blocks.leased,
          .blocks_cached = blocks.cached,
          .blocks_pinned = blocks.pinned,
          .blocks_stored = blocks.stored,
          .hash_mismatches = blocks.hash_mismatches,
          .blocks_removed = {blocks.removed.begin(), blocks.removed.end()},
          .running = load.running,
          .waiting = load.waiting + moved.waiting + tiers_.pending(),
          .steps = load.steps,
          .preemptions = load.preemptions,
          .tokens_computed = load.tokens_computed,
          .tokens_reused = load.tokens_reused,
          .tokens_sampled = load.tokens_sampled,
          .blocks_onboarded = moved.blocks_onboarded,
          .blocks_offloaded = tiers_.offloaded().blocks_offloaded,
          .blocks_recomputed = moved.blocks_recomputed,
          .transfer_failures = moved.failures,
          .sessions_waiting = sessions.waiting,
          .session_waits_by_room = sessions.ended_by_room,
          .session_waits_by_bound = sessions.ended_by_bound,
          .blocks_inherited = blocks.inherited,
          .blocks_by_role = {blocks.by_role.begin(), blocks.by_role.end()},
          .tenants = pool_.tenants().names(),
          .blocks_by_tenant = pool_.tenants().blocks(),
          .numeric_class = backend_->traits().numeric_class,
          .integrity = scheduler_.check_integrity(leases).value_or("")};
}

core::turn_finish closing_of(const turn_outcome& outcome) {
  core::turn_finish how;
  how.turn = outcome.id.value;
  how.end = outcome.end;
  how.output_tokens = outcome.output_tokens;
  how.tool = outcome.pause.tool;
  if (outcome.pause.expected_ms >= 0) how.pause_expected_s = static_cast<double>(outcome.pause.expected_ms) / 1000;
  return how;
}

namespace {

/// Where the events of one sequence go; a gap in the token indices opens a new message.
class progress_batch {
 public:
  void add(const core::sequence_started& event) {
    auto& progress = of(event.id);
    progress.started = true;
    progress.prompt_tokens = event.prompt_tokens;
    progress.cached_tokens = event.cached_tokens;
  }
  void add(core::sequence_token& event) {
    auto* progress = &of(event.id);
    if (!progress->tokens.empty() && progress->first_index + progress->tokens.size() != event.index) progress = &open(event.id);
    if (progress->tokens.empty()) progress->first_index = event.index;
    progress->tokens.push_back(std::move(event.token));
  }
  void add(core::sequence_ended& event) {
    auto& progress = of(event.id);
    progress.ended = true;
    progress.reason = event.reason;
    progress.error = std::move(event.error);
  }
  std::vector<sequence_progress> take() { return std::move(messages_); }

 private:
  sequence_progress& of(request_id id) {
    auto known = last_.find(id);
    return known == last_.end() || messages_[known->second].ended ? open(id) : messages_[known->second];
  }
  sequence_progress& open(request_id id) {
    last_[id] = messages_.size();
    messages_.emplace_back().id = id;
    messages_.back().error.code = errc::none;
    return messages_.back();
  }

  std::vector<sequence_progress> messages_;
  std::unordered_map<request_id, std::size_t> last_;
};

}  // namespace

std::vector<sequence_progress> batch_progress(std::vector<core::sequence_event> events) {
  progress_batch batch;
  for (auto& event : events) std::visit([&batch](auto& what) { batch.add(what); }, event);
  return batch.take();
}

}  // namespace troupe::actors
