#include "engine/core/replay/player.hpp"

#include <algorithm>
#include <cmath>

#include "engine/core/replay/player_state.hpp"

namespace troupe::core::replay {
namespace {

constexpr std::uint32_t progress_every = 256;  // requests

instant instant_of(double seconds) { return instant{static_cast<std::int64_t>(std::llround(seconds * 1e9))}; }

/// Per session the blocks that no other session uses, parents before children.
std::vector<std::vector<block_index>> private_blocks(const replay_input& input) {
  constexpr std::uint32_t nobody = ~std::uint32_t{0}, shared = nobody - 1;
  std::vector<std::uint32_t> owner(input.trace.blocks.size(), nobody);
  for (const auto& request : input.played.requests) {
    for (auto at = request.asked.last; at != no_block && owner[at] != request.session; at = input.trace.blocks.parent(at)) {
      if (owner[at] == shared) break;  // and so is all before it
      owner[at] = owner[at] == nobody ? request.session : shared;
    }
  }
  std::vector<std::vector<block_index>> blocks(input.played.sessions);
  for (block_index at = 0; at < owner.size(); ++at)
    if (owner[at] < shared) blocks[owner[at]].push_back(at);
  return blocks;
}

}  // namespace

row_player::row_player(const replay_input& input, const row_options& options)
    : input_(input),
      options_(options),
      has_deaths_(options.deaths && input.trace.has_sessions && options.policy != "belady"),
      routing_(make_routing_policy(options.routing)),
      finder_(input.trace.blocks.size()),
      served_(input.played.requests.size()),
      rng_(options.seed) {
  const std::uint32_t blocks = input.trace.blocks.size();
  const auto make_pool = [&](std::uint64_t capacity) {
    return std::make_unique<replay_pool>(capacity, blocks, make_retention_policy(options.policy, {.block_count = blocks, .future = input.future}));
  };
  for (std::uint32_t i = 0; i < options.workers; ++i) workers_.push_back({make_pool(options.device_blocks / options.workers)});
  if (options.host_blocks > 0) host_ = make_pool(options.host_blocks);
  if (options.workers > 1) copies_.resize(blocks);
  if (host_) owners_.resize(blocks, no_stream);
  if (has_deaths_) session_blocks_ = private_blocks(input);
  figures_.first_token_s.reserve(input.played.requests.size());
}

row_figures row_player::run(const std::function<void(double)>& progress) {
  const auto count = static_cast<std::uint32_t>(input_.played.requests.size());
  for (std::uint32_t number = 0; number < count; ++number) {
    if (progress && number % progress_every == 0) progress(static_cast<double>(number) / count);
    finish_until(input_.played.requests[number].start_s);
    request(number);
  }
  std::sort(figures_.first_token_s.begin(), figures_.first_token_s.end());
  return std::move(figures_);
}

void row_player::finish_until(double now_s) {
  while (!finishes_.empty() && finishes_.top().first <= now_s) {
    const auto [at_s, number] = finishes_.top();
    finishes_.pop();
    const auto [on, stream] = served_[number];
    const recorded_request& asked = input_.played.requests[number].asked;
    turn_finish how{.stream = stream, .turn = number, .output_tokens = asked.output_tokens};
    how.end = static_cast<turn_end>(asked.end);
    how.tool = asked.tool;
    how.pause_expected_s = input_.hints.empty() ? -1 : static_cast<double>(input_.hints[number]);
    --workers_[on].running;
    workers_[on].device->policy().turn_finished(how, instant_of(at_s));
    if (host_) host_->policy().turn_finished(how, instant_of(at_s));
  }
}

turn_start row_player::turn_of(std::uint32_t number, stream_id stream, std::span<const block_index> resident) const {
  const recorded_request& asked = input_.played.requests[number].asked;
  return {.stream = stream, .turn = number, .input = static_cast<turn_input>(asked.input), .resident = resident, .blocks = asked.blocks};
}

void row_player::request(std::uint32_t number) {
  const played_request& asked = input_.played.requests[number];
  const instant now = instant_of(asked.start_s);
  input_.trace.blocks.path(asked.asked.last, asked.asked.blocks, path_);
  const stream_id stream = input_.trace.has_sessions ? asked.session : finder_.find(path_);
  if (stream >= streams_.size()) streams_.resize(std::size_t{stream} + 1);
  const std::uint32_t on = route(number, stream);
  if (const auto before = std::exchange(streams_[stream].worker, on); before != on && before != no_worker)
    workers_[before].device->policy().died(stream, eviction_cause::superseded, now);  // what it left there will not be asked for again
  worker& chosen = workers_[on];
  std::uint32_t leading = 0;  // devices are monotone: what lies behind the first gap is at most in the host
  while (leading < path_.size() && chosen.device->has(path_[leading])) ++leading;
  const std::uint32_t hits = reachable(on, leading), device_hits = leading;
  figures_.blocks += path_.size();
  figures_.device_hits += device_hits;
  figures_.host_hits += hits - device_hits;
  figures_.onboarded += hits - device_hits;
  figures_.computed += path_.size() - hits;
  measure(asked, chosen, device_hits, hits - device_hits);
  chosen.device->policy().turn_started(turn_of(number, stream, std::span(path_).first(leading)), now);
  if (host_) take_from_host(number, stream, now);
  fill(stream, on, leading, now);
  served_[number] = {on, stream};
  ++chosen.running;
  finishes_.emplace(asked.finish_s, number);
  if (has_deaths_ && asked.ends_session) end_session(asked.session, stream, now);
}

/// What the host has of the path goes to the device, or is computed there anew: either way the host need not keep it.
void row_player::take_from_host(std::uint32_t number, stream_id stream, instant now) {
  host_path_.clear();
  for (const block_index block : path_)
    if (host_->has(block)) host_path_.push_back(block);
  host_->policy().turn_started(turn_of(number, stream, host_path_), now);
  host_->policy().context(stream, {}, now);
  for (std::size_t i = host_path_.size(); i-- > 0;) host_->remove(host_path_[i]);
}

/// The path becomes resident from its begin on, as far as its blocks are worth more than what they displace.
void row_player::fill(stream_id stream, std::uint32_t on, std::uint32_t hits, instant now) {
  replay_pool& device = *workers_[on].device;
  retention_policy& policy = device.policy();
  policy.busy(std::span(path_).first(hits));
  std::uint32_t end = hits;
  for (; end < path_.size(); ++end) {
    const block_index block = path_[end], parent = end == 0 ? no_block : path_[end - 1];
    if (device.is_full()) {
      ++figures_.decisions;
      const eviction gone = policy.victim({stream, end}, now);
      if (gone.block == no_block) break;
      evict(on, gone, now);
    }
    device.store(block, parent);
    if (host_) owners_[block] = stream;
    announce_stored(on, block, parent);
  }
  const auto resident = std::span(path_).first(end);
  policy.context(stream, resident, now);
  policy.idle(resident, now);
  if (!host_) return;
  for (auto at = path_.size(); at-- > end;) {  // what the device would not take has been computed all the same: the tier may want it
    owners_[path_[at]] = stream;
    demote(path_[at], eviction_cause::capacity, now);
  }
}

void row_player::evict(std::uint32_t from, const eviction& gone, instant now) {
  workers_[from].device->remove(gone.block);
  announce_removed(from, gone.block);
  if (!demote(gone.block, gone.cause, now)) ++figures_.evictions[static_cast<std::size_t>(gone.cause)];
}

/// A block that has left its device goes to the host, when no other device has it and the host finds it worth the room.
bool row_player::demote(block_index block, eviction_cause cause, instant now) {
  if (!host_ || host_->has(block) || (!copies_.empty() && copies_[block] > 0)) return false;
  const bool is_claimed = cause == eviction_cause::capacity;
  if (host_->is_full()) {
    if (!is_claimed) return false;
    ++figures_.decisions;
    const eviction gone = host_->policy().victim({owners_[block], 0}, now);
    if (gone.block == no_block) return false;
    host_->remove(gone.block);
    ++figures_.evictions[static_cast<std::size_t>(gone.cause)];
  }
  ++figures_.offloaded;
  host_->demote(is_claimed ? owners_[block] : no_stream, block, now);
  return true;
}

void row_player::end_session(std::uint32_t session, stream_id stream, instant now) {
  const auto free_in = [&](replay_pool& pool, std::uint32_t on) {
    pool.policy().died(stream, eviction_cause::death, now);
    const auto& blocks = session_blocks_[session];
    for (std::size_t i = blocks.size(); i-- > 0;) {
      if (!pool.has(blocks[i])) continue;
      pool.remove(blocks[i]);
      if (on != no_worker) announce_removed(on, blocks[i]);
      ++figures_.evictions[static_cast<std::size_t>(eviction_cause::death)];
    }
  };
  for (std::uint32_t on = 0; on < workers_.size(); ++on) free_in(*workers_[on].device, on);
  if (host_) free_in(*host_, no_worker);
}

void row_player::measure(const played_request& asked, worker& on, std::uint32_t device_hits, std::uint32_t host_hits) {
  const replay_rates& rates = options_.rates;
  const double width = input_.trace.block_tokens;
  const double computed = std::max(asked.asked.input_tokens - (device_hits + host_hits) * width, 1.0);
  const double begin_s = std::max(asked.start_s, on.busy_until_s);
  on.busy_until_s = begin_s + host_hits * width * rates.kv_bytes_per_token / rates.host_bytes_per_s + computed / rates.prefill_tokens_per_s;
  figures_.first_token_s.push_back(static_cast<float>(on.busy_until_s + rates.step_s - asked.start_s));
}

double row_figures::first_token_quantile_s(double share) const {
  if (first_token_s.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(first_token_s.size()));
  return static_cast<double>(first_token_s[std::min(at, first_token_s.size() - 1)]);
}

expected<row_figures> play(const replay_input& input, const row_options& options, const std::function<void(double)>& progress) {
  const auto refuse = [](const std::string& why) { return failure{errc::invalid_request, why, {}}; };
  if (!make_retention_policy(options.policy, {})) return refuse("no policy is called \"" + options.policy + "\"");
  if (!make_routing_policy(options.routing)) return refuse("no routing is called \"" + options.routing + "\"");
  if (options.workers == 0) return refuse("at least one worker is needed");
  if (options.policy == "belady" && (options.workers > 1 || options.host_blocks > 0))
    return refuse("belady knows the future of one pool only: give it one worker and no tier");
  if (options.policy == "belady" && input.future.size() != input.played.requests.size()) return refuse("belady needs the future");
  return row_player(input, options).run(progress);
}

}  // namespace troupe::core::replay
