#include "actors/session_wishes.hpp"

#include <algorithm>

#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

constexpr std::int32_t retain_priority = 60;  // of a `retain` that names none: above what nobody asked for, below what somebody weighs

core::instant end_of(core::instant now, std::uint32_t ttl_ms) {
  return now + std::min<core::instant>(milliseconds{ttl_ms}, limits::wish_ttl_max);
}

}  // namespace

session_wishes::session_wishes(const intent_record& kept, core::instant now, std::int64_t now_unix_ms)
    : generation_(kept.generation), generation_kept_(kept.generation) {
  for (const auto& each : kept.wishes) {
    const milliseconds left{each.until_ms - now_unix_ms};
    if (left.count() <= 0) continue;
    // Longer than any wish may last: the clock was set back.
    add({each.token_begin, each.token_end, each.rank, false, now + std::min<core::instant>(left, limits::wish_ttl_max)});
  }
  is_changed_ = false;
}

void session_wishes::add(wish made) {
  if (wishes_.size() >= limits::wishes_per_session_max) {
    is_changed_ = is_changed_ || !wishes_.front().is_of_request;
    wishes_.erase(wishes_.begin());
  }
  is_changed_ = is_changed_ || !made.is_of_request;
  wishes_.push_back(made);
}

std::optional<intent_record> session_wishes::take_record(core::instant now, std::int64_t now_unix_ms) {
  // Half a reserve ahead: the record is written before a holder hears of a generation that it does not cover.
  if (!is_changed_ && generation_ + limits::intent_generations_ahead / 2 <= generation_kept_) return std::nullopt;
  is_changed_ = false;
  generation_kept_ = generation_ + limits::intent_generations_ahead;
  intent_record record{{}, 0, generation_kept_, {}};
  for (const wish& each : wishes_) {
    if (each.is_of_request || each.until <= now) continue;
    const auto left = std::chrono::ceil<milliseconds>(each.until - now);
    record.wishes.push_back({each.token_begin, each.token_end, each.rank, now_unix_ms + left.count()});
  }
  return record;
}

verb_answer session_wishes::take(const session_verb& verb, core::instant now) {
  verb_answer answer{verb.id, verb_outcome::accepted, {}, 0};
  const bool is_pin = verb.what == verb_kind::pin;
  const auto wanted = verb.priority < 0 ? retain_priority : verb.priority;
  const auto rank = is_pin ? core::rank_pinned : static_cast<std::uint8_t>(std::min<std::int32_t>(wanted, core::rank_max));
  const auto ended = std::erase_if(wishes_, [&](const wish& each) {
    const bool is_same_kind = !each.is_of_request && (each.rank == core::rank_pinned) == is_pin;
    return is_same_kind && each.token_begin == verb.token_begin && each.token_end == verb.token_end;
  });
  is_changed_ = is_changed_ || ended > 0;
  if (verb.ttl_ms == 0) return answer;
  if (verb.token_begin >= verb.token_end && verb.token_end != 0) {
    answer.outcome = verb_outcome::rejected;
    answer.detail = "the token range is empty";
    return answer;
  }
  add({verb.token_begin, verb.token_end, rank, false, end_of(now, verb.ttl_ms)});
  if (milliseconds{verb.ttl_ms} > limits::wish_ttl_max || wanted > core::rank_max) {
    answer.outcome = verb_outcome::clipped;
    answer.detail = "at most " + std::to_string(milliseconds{limits::wish_ttl_max}.count()) + " ms and priority " + std::to_string(core::rank_max);
  }
  return answer;
}

void session_wishes::take(const std::vector<retain_range>& ranges, core::instant now) {
  std::erase_if(wishes_, [](const wish& each) { return each.is_of_request; });
  for (const auto& range : ranges) {
    const auto rank = static_cast<std::uint8_t>(std::clamp<std::int32_t>(range.priority, 0, core::rank_max));
    add({range.token_begin, range.token_end, rank, true, end_of(now, range.ttl_ms)});
  }
}

bool session_wishes::concerns_holders(core::instant now) {
  std::erase_if(wishes_, [now](const wish& each) { return each.until <= now; });
  return is_told_ || !wishes_.empty();
}

owner_intent session_wishes::intent(owner_id owner, std::span<const core::block_identity> chain, std::uint32_t block_tokens,
                                    core::instant now) {
  owner_intent intent{owner, ++generation_, {}, {}};
  const auto blocks = static_cast<std::uint32_t>(chain.size());
  std::uint32_t pinned = 0;
  for (const wish& each : wishes_) {
    // The first block that the range touches, and the last one that ends within it.
    const auto end = each.token_end == 0 ? blocks : std::min(blocks, each.token_end / block_tokens);
    const auto begin = std::min(end, each.token_begin / block_tokens);
    if (begin == end || each.until <= now) continue;
    const auto left = std::chrono::ceil<milliseconds>(each.until - now);
    intent.wishes.push_back({chain[end - 1], end - begin, each.rank, static_cast<std::uint32_t>(left.count())});
    if (each.rank >= core::rank_pinned) pinned = std::max(pinned, end);
  }
  intent.chain.assign(chain.begin(), chain.begin() + pinned);
  is_told_ = !intent.wishes.empty();
  return intent;
}

}  // namespace troupe::actors
