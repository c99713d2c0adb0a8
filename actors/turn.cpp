// The token that ends a sequence is counted in the usage, as it was computed, but never arrives here: its worker only says `stop`.
#include "actors/turn.hpp"

#include <algorithm>

#include "actors/turn_sampling.hpp"
#include "engine/text/tool_formats.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

double seconds(core::instant span) { return std::chrono::duration<double>(span).count(); }

turn_delta::kind delta_kind(text::answer_piece::kind what) {
  switch (what) {
    case text::answer_piece::kind::reasoning:
      return turn_delta::kind::reasoning;
    case text::answer_piece::kind::tool_begin:
      return turn_delta::kind::tool_begin;
    case text::answer_piece::kind::tool_arguments:
      return turn_delta::kind::tool_arguments;
    default:
      return turn_delta::kind::text;
  }
}

text::answer_options answer_options_of(const turn_setup& setup, bool begins_in_reasoning) {
  const auto& request = setup.request;
  const bool chat = request.prompt.what == turn_prompt::kind::chat;
  text::answer_options options;
  options.stop = request.stop;
  options.skip_special_tokens = request.skip_special_tokens;
  if (chat && request.parse_tools) options.tool_format = setup.model->tool_format;
  options.tools = request.prompt.tools;
  options.parse_reasoning = chat && setup.model->parse_reasoning;
  options.reasoning = setup.model->reasoning;
  options.begins_in_reasoning = options.parse_reasoning && begins_in_reasoning;
  return options;
}

failure end_failure(const sequence_progress& progress) {
  if (progress.error.code != errc::none && progress.error.code != errc::internal) return progress.error;
  switch (progress.reason) {
    case core::finish_reason::deadline:
      return {errc::deadline_exceeded, "the turn ran past its deadline", {}};
    case core::finish_reason::cancelled:
      return {errc::cancelled, "the worker gave the turn up", {}};
    default:
      return {errc::internal, progress.error.message.empty() ? "the worker failed" : progress.error.message, {}};
  }
}

}  // namespace

std::int32_t queue_priority(const agent_hints& hints) noexcept {
  const auto from_normal = static_cast<std::int32_t>(hints.urgency) - static_cast<std::int32_t>(work_class::normal);
  const auto tier = static_cast<std::int32_t>(std::min(hints.tier, limits::tier_max));
  return from_normal * class_step + tier * tier_step + std::clamp(hints.priority, -limits::priority_max, limits::priority_max);
}

turn::turn(turn_setup setup) : setup_(std::move(setup)), stop_tokens_(setup_.request.stop_tokens) {
  const auto& eos = setup_.model->defaults.eos;
  if (!setup_.request.ignore_eos) stop_tokens_.insert(stop_tokens_.end(), eos.begin(), eos.end());
}

std::optional<failure> turn::fit_context(std::size_t prompt_tokens) {
  const std::size_t context = setup_.model->context_tokens_max;
  const auto& request = setup_.request;
  const std::size_t wish = request.clip_tokens_max ? 1 : std::max<std::size_t>(request.tokens_max, 1);
  // Clients match these texts, to start compacting or to ask for a shorter answer: keep them.
  if (prompt_tokens > context)
    return failure{errc::context_length_exceeded,
                   "prompt is too long: " + std::to_string(prompt_tokens) + " tokens > " + std::to_string(context) + " maximum",
                   {}};
  if (prompt_tokens + wish > context)
    return failure{errc::context_length_exceeded,
                   "This model's maximum context length is " + std::to_string(context) +
                       " tokens: input length and `max_tokens` exceed context limit: " + std::to_string(prompt_tokens) + " + " +
                       std::to_string(wish) + " > " + std::to_string(context),
                   "max_tokens"};
  const auto room = static_cast<std::uint32_t>(context - prompt_tokens);
  tokens_max_ = request.tokens_max != 0 ? std::min(request.tokens_max, room) : room;
  return std::nullopt;
}

std::optional<failure> turn::take_prompt(text::encoded_prompt prompt, bool begins_in_reasoning) {
  if (prompt.tokens.empty()) return failure{errc::invalid_request, "the prompt is empty", "prompt"};
  if (auto error = fit_context(prompt.tokens.size())) return error;
  tokens_ = std::move(prompt.tokens);
  chain_ = std::move(prompt.chain);
  roles_ = std::move(prompt.roles);
  prompt_tokens_ = tokens_.size();
  usage_.prompt_tokens = static_cast<std::uint32_t>(prompt_tokens_);
  answer_options_ = answer_options_of(setup_, begins_in_reasoning);
  decoder_.emplace(setup_.model->tokens, answer_options_);
  return std::nullopt;
}

std::uint32_t turn::remaining_ms(core::instant now) const noexcept {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(setup_.deadline - now).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 1));
}

/// As its harness says, else as the answers before; never more than it may have. 0: unknown.
std::uint32_t turn::output_expected() const noexcept {
  const auto said = setup_.request.hints.output_tokens;
  return std::min(said != 0 ? said : setup_.output_tokens, tokens_max_);
}

route_request turn::route(core::instant now, const route_affinity& affinity) {
  phase_ = turn_phase::routing;
  setup_.hasher.extend(chain_, tokens_);
  route_request request;
  request.id = setup_.request.id;
  request.model = setup_.model->id;
  request.chain = chain_;
  request.prompt_tokens = static_cast<std::uint32_t>(tokens_.size());
  request.output_tokens = output_expected();
  request.priority = queue_priority(setup_.request.hints);
  request.timeout_ms = remaining_ms(now);
  request.has_last_worker = affinity.last.has_value();
  request.last_worker = affinity.last.value_or(worker_id{});
  request.has_parent_worker = affinity.parent.has_value();
  request.parent_worker = affinity.parent.value_or(worker_id{});
  return request;
}

/// Disk and remote keep what they have for a time of their own: a context with a shorter life stays above them.
core::tier_level lowest_tier_of(const agent_hints& hints) {
  return hints.cache_ttl_ms > 0 ? std::min(hints.max_tier, core::tier_level::host) : hints.max_tier;
}

admit_request turn::admit(core::instant now) {
  phase_ = turn_phase::admitting;
  admit_request request;
  request.id = setup_.request.id;
  request.tokens.reserve(tokens_.size() + output_expected() + 1);  // where it is admitted, its output is appended
  request.tokens = tokens_;
  request.continued = static_cast<std::uint32_t>(tokens_.size() - prompt_tokens_);
  request.chain = chain_;
  request.roles = roles_;
  request.scope_seed = setup_.hasher.seed();
  request.owner = setup_.owner;
  request.input = input_;
  request.max_tier = lowest_tier_of(setup_.request.hints);
  request.sampling = setup_.sampling;
  request.tokens_max = tokens_max_;
  request.tokens_min = setup_.request.tokens_min;
  request.output_tokens = output_expected();
  request.stop_tokens = stop_tokens_;
  request.priority = queue_priority(setup_.request.hints);
  request.timeout_ms = remaining_ms(now);
  return request;
}

std::vector<core::block_identity> turn::whole_chain() const {
  auto chain = chain_;
  setup_.hasher.extend(chain, tokens_);
  return chain;
}

std::vector<core::told_role> turn::told_roles() const {
  std::vector<core::told_role> told;
  const auto width = setup_.model->block_tokens;
  const auto chain = whole_chain();
  for (std::size_t i = prompt_tokens_ / width; i < chain.size() && told.size() < limits::told_roles_max; ++i) {
    const auto begin = static_cast<std::uint32_t>(i * width);
    const auto role = core::role_of(roles_, begin, begin + width);
    if (role != core::block_role::output) told.push_back({chain[i], role});
  }
  return told;
}

/// Of the token that came last.
void turn::note_role(core::block_role role) {
  const auto end = static_cast<std::uint32_t>(tokens_.size());
  if (roles_.empty()) roles_.push_back({core::block_role::unknown, end - 1});
  if (roles_.back().role == role || roles_.size() >= limits::role_ranges_max)
    roles_.back().token_end = end;
  else
    roles_.push_back({role, end});
}

turn::loss turn::lose_peer(core::instant now) {
  loss result;
  if (started_ && usage_.output_tokens >= tokens_max_) {
    // Only the word that it was the last token got lost.
    finish(turn_end::length, {errc::none, {}, {}}, now, result.output);
    return result;
  }
  if (retries_ >= limits::worker_retries_per_turn) {
    finish(turn_end::failed, {errc::worker_lost, "the worker was lost and no other could continue", {}}, now, result.output);
    return result;
  }
  phase_ = decoder_ ? turn_phase::routing : turn_phase::rendering;
  // The first retry goes at once: usually another worker stands by. Later ones give the supervisor time to start one.
  core::instant wait{0};
  for (std::uint32_t i = 0; i < retries_; ++i) wait = i == 0 ? core::instant{limits::worker_retry_wait} : wait * 4;
  ++retries_;
  result.retry_at = now + wait;
  return result;
}

turn_output turn::advance(const sequence_progress& progress, core::instant now) {
  turn_output output;
  if (phase_ != turn_phase::admitting && phase_ != turn_phase::streaming) return output;
  if (progress.started || !progress.tokens.empty()) start(progress, now, output);
  const std::size_t known = tokens_.size() - prompt_tokens_;
  if (!progress.tokens.empty() && progress.first_index > known) {
    finish(turn_end::failed, {errc::internal, "tokens of the answer were lost on their way", {}}, now, output);
    output.cancel_sequence = !progress.ended;
    return output;
  }
  for (std::size_t i = known - std::min<std::size_t>(known, progress.first_index); i < progress.tokens.size(); ++i) {
    if (usage_.output_tokens == 0) usage_.first_token_s = seconds(now - setup_.now);
    take_token(progress.tokens[i], output);
    if (answer_complete_) break;
  }
  if (answer_complete_) {
    output.cancel_sequence = !progress.ended;
    finish(decoder_->tool_calls() > 0 ? turn_end::tool_calls : turn_end::stop, {errc::none, {}, {}}, now, output);
  } else if (progress.ended && progress.reason != core::finish_reason::cancelled) {
    // Only this session cancels its sequences, and has then turned away from them: what ends as cancelled is an earlier admission,
    // whose worker had been silent and was granted again.
    end(progress, now, output);
  }
  return output;
}

void turn::start(const sequence_progress& progress, core::instant now, turn_output& output) {
  phase_ = turn_phase::streaming;
  if (started_) return;
  started_ = true;
  usage_.queue_s = seconds(now - setup_.now);
  usage_.cached_tokens = std::min(progress.cached_tokens, usage_.prompt_tokens);
  if (overlap_) usage_.miss = miss_of(*overlap_, {usage_.prompt_tokens, usage_.cached_tokens, setup_.model->block_tokens, worker_});
  output.started = turn_started{setup_.request.id, usage_.prompt_tokens, usage_.cached_tokens};
}

void turn::take_token(const core::sampled_token& token, turn_output& output) {
  tokens_.push_back(token.token);
  usage_.output_tokens = static_cast<std::uint32_t>(tokens_.size() - prompt_tokens_);
  if (setup_.sampling.logprobs >= 0) untold_.push_back(token);
  std::vector<text::answer_piece> pieces;
  const auto reasoned = decoder_->reasoning_tokens();
  answer_complete_ = !decoder_->push(token.token, pieces);
  note_role(decoder_->reasoning_tokens() > reasoned ? core::block_role::reasoning : core::block_role::output);
  tell(pieces, output);
}

void turn::tell(const std::vector<text::answer_piece>& pieces, turn_output& output) {
  for (const auto& piece : pieces) {
    const auto what = delta_kind(piece.what);
    if (what == turn_delta::kind::reasoning) reasoning_ += piece.text;
    if (what == turn_delta::kind::text) text_ += piece.text;
    const bool begins = what == turn_delta::kind::tool_begin;
    if (!output.deltas.empty() && !begins && untold_.empty()) {
      auto& last = output.deltas.back();
      if (last.what == what && last.tool_index == piece.tool_index && last.tokens.empty()) {
        last.text += piece.text;
        last.output_tokens = usage_.output_tokens;
        continue;
      }
    }
    turn_delta delta;
    delta.what = what;
    delta.id = setup_.request.id;
    delta.sequence = sequence_++;
    delta.tool_index = piece.tool_index;
    delta.output_tokens = usage_.output_tokens;
    if (begins) {
      delta.tool_id = text::tool_call_id(setup_.model->tool_format, number_of(setup_.request.id, piece.tool_index + 1));
      delta.tool_name = piece.text;
      tool_names_.push_back(piece.text);
    } else {
      delta.text = piece.text;
    }
    attach_logprobs(delta);
    output.deltas.push_back(std::move(delta));
  }
}

void turn::attach_logprobs(turn_delta& delta) {
  if (untold_.empty()) return;
  const auto& tokens = *setup_.model->tokens;
  for (const auto& token : untold_) delta.token_texts.push_back(tokens.token_bytes(token.token));
  for (const auto& token : untold_)
    for (const auto& other : token.top) delta.token_texts.push_back(tokens.token_bytes(other.token));
  delta.tokens = std::move(untold_);
  untold_.clear();
}

void turn::end(const sequence_progress& progress, core::instant now, turn_output& output) {
  const bool complete = progress.reason == core::finish_reason::stop || progress.reason == core::finish_reason::length;
  if (complete) start(progress, now, output);
  const failure fine{errc::none, {}, {}};
  switch (progress.reason) {
    case core::finish_reason::stop:
      ++usage_.output_tokens;
      return finish(decoder_->tool_calls() > 0 ? turn_end::tool_calls : turn_end::stop, fine, now, output);
    case core::finish_reason::length:
      return finish(turn_end::length, fine, now, output);
    default:
      return finish(turn_end::failed, end_failure(progress), now, output);
  }
}

turn_output turn::fail(failure error, core::instant now) {
  turn_output output;
  if (phase_ == turn_phase::finished) return output;
  output.cancel_sequence = phase_ == turn_phase::admitting || phase_ == turn_phase::streaming;
  finish(turn_end::failed, std::move(error), now, output);
  return output;
}

void turn::finish(turn_end how, failure error, core::instant now, turn_output& output) {
  if (decoder_) {
    std::vector<text::answer_piece> pieces;
    decoder_->finish(pieces);
    if (how != turn_end::failed) {
      tell(pieces, output);
      // A call that only became certain now counts as well.
      if (how == turn_end::stop && decoder_->tool_calls() > 0) how = turn_end::tool_calls;
    }
    usage_.reasoning_tokens = decoder_->reasoning_tokens();
  }
  phase_ = turn_phase::finished;
  usage_.total_s = seconds(now - setup_.now);
  turn_finished finished{setup_.request.id, how, {}, std::move(error), usage_};
  if (decoder_ && how == turn_end::stop) finished.stop_string = decoder_->stop_string();
  finished_ = finished;
  output.finished = std::move(finished);
}

turn_record turn::record() const {
  turn_record record;
  record.id = setup_.request.id;
  record.model = setup_.model->id;
  record.worker = worker_;
  if (finished_) {
    constexpr const char* names[] = {"stop", "length", "tool_calls"};
    const bool failed = finished_->how == turn_end::failed;
    record.how = failed ? std::string{describe(finished_->error.code).name} : names[static_cast<std::size_t>(finished_->how)];
  }
  record.prompt_tokens = usage_.prompt_tokens;
  record.cached_tokens = usage_.cached_tokens;
  record.output_tokens = usage_.output_tokens;
  record.miss = usage_.miss;
  record.queue_s = usage_.queue_s;
  record.first_token_s = usage_.first_token_s;
  record.total_s = usage_.total_s;
  for (const auto& name : tool_names_) {
    if (record.tools.size() == limits::trace_tools_max) break;
    record.tools.push_back(name.substr(0, limits::trace_tool_name_bytes_max));
  }
  return record;
}

}  // namespace troupe::actors
