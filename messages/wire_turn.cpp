// The turn between the gateway and a session, on the wire.
#include "messages/wire.hpp"
#include "messages/wire_common.hpp"
#include "schema/turn.capnp.h"

namespace troupe::wire {

TROUPE_WIRE_ENUM(chat_role, tool, ChatRole::TOOL)
TROUPE_WIRE_ENUM(chat_block::kind, tool_result, ChatBlockKind::TOOL_RESULT)
TROUPE_WIRE_ENUM(turn_prompt::kind, tokens, TurnPromptKind::TOKENS)
TROUPE_WIRE_ENUM(turn_delta::kind, tool_arguments, TurnDeltaKind::TOOL_ARGUMENTS)
TROUPE_WIRE_ENUM(turn_end, failed, TurnEnd::FAILED)
TROUPE_WIRE_ENUM(work_class, interactive, WorkClass::INTERACTIVE)

#define CHAT_BLOCK_FIELDS(F) F(What, what) F(Text, text) F(Id, id) F(Name, name) F(CacheTtlMs, cache_ttl_ms)
TROUPE_WIRE(chat_block, ChatBlock, CHAT_BLOCK_FIELDS)

#define CHAT_MESSAGE_FIELDS(F) F(Role, role) F(Blocks, blocks)
TROUPE_WIRE(chat_message, ChatMessage, CHAT_MESSAGE_FIELDS)

#define CHAT_TOOL_FIELDS(F) F(Name, name) F(Json, json)
TROUPE_WIRE(chat_tool, ChatTool, CHAT_TOOL_FIELDS)

#define TURN_PROMPT_FIELDS(F) \
  F(What, what)               \
  F(Messages, messages)       \
  F(Tools, tools) F(TemplateArguments, template_arguments) F(ContinueFinalMessage, continue_final_message) F(Text, text) F(Tokens, tokens)
TROUPE_WIRE(turn_prompt, TurnPrompt, TURN_PROMPT_FIELDS)

#define SAMPLING_WISH_FIELDS(F)                                                                                                       \
  F(Temperature, temperature)                                                                                                         \
  F(TopP, top_p)                                                                                                                      \
  F(MinP, min_p) F(RepetitionPenalty, repetition_penalty) F(PresencePenalty, presence_penalty) F(FrequencyPenalty, frequency_penalty) \
      F(TopK, top_k) F(Logprobs, logprobs) F(Seed, seed) F(HasSeed, has_seed)
TROUPE_WIRE_FLAT(sampling_wish, SamplingWish, SAMPLING_WISH_FIELDS)  // it has a constructor: not an aggregate

#define RETAIN_RANGE_FIELDS(F) F(TokenBegin, token_begin) F(TokenEnd, token_end) F(Priority, priority) F(TtlMs, ttl_ms)
TROUPE_WIRE(retain_range, RetainRange, RETAIN_RANGE_FIELDS)

#define AGENT_HINTS_FIELDS(F)                                                                                                  \
  F(Priority, priority)                                                                                                        \
  F(OutputTokens, output_tokens) F(PauseMs, pause_ms) F(FinalTurn, final_turn) F(MaxTier, max_tier) F(CacheTtlMs, cache_ttl_ms) \
      F(Retain, retain) F(Urgency, urgency) F(Tier, tier) F(IsSide, is_side) F(Speculate, speculate)                           \
          F(ResumeAtMs, resume_at_ms) F(BreakpointPriority, breakpoint_priority)
TROUPE_WIRE(agent_hints, AgentHints, AGENT_HINTS_FIELDS)

#define TURN_REQUEST_FIELDS(F)                                                                                                       \
  F(Id, id)                                                                                                                          \
  F(Model, model)                                                                                                                    \
  F(Prompt, prompt) F(Sampling, sampling) F(TokensMax, tokens_max) F(TokensMin, tokens_min) F(Stop, stop) F(StopTokens, stop_tokens) \
      F(IgnoreEos, ignore_eos) F(SkipSpecialTokens, skip_special_tokens) F(ParseTools, parse_tools) F(CacheSalt, cache_salt)         \
          F(Hints, hints) F(TimeoutMs, timeout_ms) F(ClipTokensMax, clip_tokens_max)
TROUPE_WIRE(turn_request, TurnRequest, TURN_REQUEST_FIELDS)

#define TURN_STARTED_FIELDS(F) F(Id, id) F(PromptTokens, prompt_tokens) F(CachedTokens, cached_tokens)
TROUPE_WIRE(turn_started, TurnStarted, TURN_STARTED_FIELDS)

#define TURN_DELTA_FIELDS(F)                                                                                               \
  F(What, what)                                                                                                            \
  F(Id, id)                                                                                                                \
  F(Sequence, sequence) F(Text, text) F(ToolIndex, tool_index) F(ToolId, tool_id) F(ToolName, tool_name) F(Tokens, tokens) \
      F(TokenTexts, token_texts) F(OutputTokens, output_tokens)
TROUPE_WIRE(turn_delta, TurnDelta, TURN_DELTA_FIELDS)

#define TURN_USAGE_FIELDS(F)     \
  F(PromptTokens, prompt_tokens) \
  F(CachedTokens, cached_tokens) \
  F(OutputTokens, output_tokens) F(ReasoningTokens, reasoning_tokens) F(QueueS, queue_s) F(FirstTokenS, first_token_s) F(TotalS, total_s) \
      F(Miss, miss)
TROUPE_WIRE(turn_usage, TurnUsage, TURN_USAGE_FIELDS)

#define TURN_FINISHED_FIELDS(F) F(Id, id) F(How, how) F(StopString, stop_string) F(Error, error) F(Usage, usage)
TROUPE_WIRE(turn_finished, TurnFinished, TURN_FINISHED_FIELDS)

#define TURN_CANCEL_FIELDS(F) F(Id, id) F(Why, why)
TROUPE_WIRE(turn_cancel, TurnCancel, TURN_CANCEL_FIELDS)

#define REQUEST_ID_FIELDS(F) F(Value, value)
TROUPE_WIRE(request_id, RequestId, REQUEST_ID_FIELDS)

}  // namespace troupe::wire

namespace troupe {

TROUPE_WIRE_MESSAGE(request_id)
TROUPE_WIRE_MESSAGE(turn_request)
TROUPE_WIRE_MESSAGE(turn_started)
TROUPE_WIRE_MESSAGE(turn_delta)
TROUPE_WIRE_MESSAGE(turn_finished)
TROUPE_WIRE_MESSAGE(turn_cancel)

}  // namespace troupe
