// What a session asks of a worker and what the worker streams back, on the wire.
#include "messages/wire.hpp"
#include "messages/wire_common.hpp"
#include "messages/wire_worker_status.hpp"

namespace troupe::wire {

TROUPE_WIRE_ENUM(core::finish_reason, failed, FinishReason::FAILED)

TROUPE_WIRE_ENUM(core::turn_input, tool_result, TurnInput::TOOL_RESULT)
TROUPE_WIRE_ENUM(core::turn_end, length, TurnEnd::LENGTH)
TROUPE_WIRE_ENUM(core::eviction_cause, quota, EvictionCause::QUOTA)

#define RETENTION_WISH_FIELDS(F) F(Last, last) F(Blocks, blocks) F(Rank, rank) F(TtlMs, ttl_ms)
TROUPE_WIRE(core::retention_wish, RetentionWish, RETENTION_WISH_FIELDS)

#define OWNER_INTENT_FIELDS(F) F(Owner, owner) F(Generation, generation) F(Wishes, wishes) F(Chain, chain)
TROUPE_WIRE(owner_intent, OwnerIntent, OWNER_INTENT_FIELDS)

#define INTENT_APPLIED_FIELDS(F) F(Generation, generation) F(BlocksPinned, blocks_pinned) F(BlocksClipped, blocks_clipped)
TROUPE_WIRE(intent_applied, IntentApplied, INTENT_APPLIED_FIELDS)

TROUPE_WIRE_ENUM(core::block_role, output, BlockRole::OUTPUT)

#define ROLE_RANGE_FIELDS(F) F(Role, role) F(TokenEnd, token_end)
TROUPE_WIRE(core::role_range, RoleRange, ROLE_RANGE_FIELDS)

#define TOLD_ROLE_FIELDS(F) F(Block, block) F(Role, role)
TROUPE_WIRE(core::told_role, ToldRole, TOLD_ROLE_FIELDS)

#define TOOL_PAUSE_FIELDS(F) F(Tool, tool) F(IsSubagent, is_subagent) F(ExpectedMs, expected_ms) F(TookMs, took_ms)
TROUPE_WIRE(tool_pause, ToolPause, TOOL_PAUSE_FIELDS)

#define TURN_OUTCOME_FIELDS(F) F(Id, id) F(Owner, owner) F(End, end) F(PromptTokens, prompt_tokens) F(OutputTokens, output_tokens) F(Pause, pause) \
  F(Roles, roles) F(IsSide, is_side)
TROUPE_WIRE(turn_outcome, TurnOutcome, TURN_OUTCOME_FIELDS)

#define PAUSE_FORECAST_FIELDS(F) F(EarlyMs, early_ms) F(MedianMs, median_ms) F(LateMs, late_ms) F(LoadMs, load_ms)
TROUPE_WIRE(pause_forecast, PauseForecast, PAUSE_FORECAST_FIELDS)

#define OWNER_FORGET_FIELDS(F) F(Owner, owner) F(Blocks, blocks) F(Cause, cause)
TROUPE_WIRE(owner_forget, OwnerForget, OWNER_FORGET_FIELDS)

#define ADMIT_REQUEST_FIELDS(F)                                                                                                   \
  F(Id, id)                                                                                                                       \
  F(Tokens, tokens)                                                                                                               \
  F(Continued, continued) F(Chain, chain) F(Roles, roles) F(ScopeSeed, scope_seed) F(Owner, owner) F(Input, input) F(Paused, paused) F(MaxTier, max_tier) F(Sampling, sampling) F(TokensMax, tokens_max) \
      F(TokensMin, tokens_min) F(StopTokens, stop_tokens) F(Priority, priority) F(IsAhead, is_ahead) F(TimeoutMs, timeout_ms) \
      F(OutputTokens, output_tokens) F(Session, session) F(IsSubagent, is_subagent) F(Tenant, tenant)
TROUPE_WIRE(admit_request, AdmitRequest, ADMIT_REQUEST_FIELDS)

#define SEQUENCE_PROGRESS_FIELDS(F)                                                                                          \
  F(Id, id)                                                                                                                  \
  F(Started, started)                                                                                                        \
  F(PromptTokens, prompt_tokens) F(CachedTokens, cached_tokens) F(FirstIndex, first_index) F(Tokens, tokens) F(Ended, ended) \
      F(Reason, reason) F(Error, error)
TROUPE_WIRE(sequence_progress, SequenceProgress, SEQUENCE_PROGRESS_FIELDS)

#define SEQUENCE_CANCEL_FIELDS(F) F(Id, id)
TROUPE_WIRE(sequence_cancel, SequenceCancel, SEQUENCE_CANCEL_FIELDS)

#define OWNER_RELEASE_FIELDS(F) F(Owner, owner) F(KeepStored, keep_stored) F(Cause, cause) F(Heir, heir) F(Head, head)
TROUPE_WIRE(owner_release, OwnerRelease, OWNER_RELEASE_FIELDS)

#define OWNER_RELEASED_FIELDS(F) F(BlocksFreed, blocks_freed)
TROUPE_WIRE(owner_released, OwnerReleased, OWNER_RELEASED_FIELDS)

#define OWNER_DEMOTE_FIELDS(F) F(Owner, owner)
TROUPE_WIRE(owner_demote, OwnerDemote, OWNER_DEMOTE_FIELDS)

#define OWNER_DEMOTED_FIELDS(F) F(Blocks, blocks)
TROUPE_WIRE(owner_demoted, OwnerDemoted, OWNER_DEMOTED_FIELDS)

#define PREFETCH_REQUEST_FIELDS(F) \
  F(Id, id) F(Owner, owner) F(Tokens, tokens) F(Chain, chain) F(ScopeSeed, scope_seed) F(TimeoutMs, timeout_ms) F(Tenant, tenant)
TROUPE_WIRE(prefetch_request, PrefetchRequest, PREFETCH_REQUEST_FIELDS)

#define PREFETCH_DONE_FIELDS(F) F(Id, id) F(BlocksOnboarded, blocks_onboarded) F(BlocksReady, blocks_ready)
TROUPE_WIRE(prefetch_done, PrefetchDone, PREFETCH_DONE_FIELDS)

#define WORKER_STATUS_REQUEST_FIELDS(F)
TROUPE_WIRE(worker_status_request, WorkerStatusRequest, WORKER_STATUS_REQUEST_FIELDS)
TROUPE_WIRE(tier_status_request, TierStatusRequest, WORKER_STATUS_REQUEST_FIELDS)

}  // namespace troupe::wire

namespace troupe {

TROUPE_WIRE_MESSAGE(admit_request)
TROUPE_WIRE_MESSAGE(sequence_progress)
TROUPE_WIRE_MESSAGE(sequence_cancel)
TROUPE_WIRE_MESSAGE(turn_outcome)
TROUPE_WIRE_MESSAGE(pause_forecast)
TROUPE_WIRE_MESSAGE(owner_forget)
TROUPE_WIRE_MESSAGE(owner_intent)
TROUPE_WIRE_MESSAGE(intent_applied)
TROUPE_WIRE_MESSAGE(owner_release)
TROUPE_WIRE_MESSAGE(owner_released)
TROUPE_WIRE_MESSAGE(owner_demote)
TROUPE_WIRE_MESSAGE(owner_demoted)
TROUPE_WIRE_MESSAGE(prefetch_request)
TROUPE_WIRE_MESSAGE(prefetch_done)
TROUPE_WIRE_MESSAGE(worker_status_request)
TROUPE_WIRE_MESSAGE(worker_status)
TROUPE_WIRE_MESSAGE(tier_status_request)
TROUPE_WIRE_MESSAGE(tier_status)

}  // namespace troupe
