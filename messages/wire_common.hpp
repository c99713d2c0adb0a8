// Tables of the structs that several messages are made of. Internal to wire*.cpp.
#pragma once

#include "engine/core/block_hash.hpp"
#include "engine/core/retention/residency.hpp"
#include "engine/core/sampling.hpp"
#include "messages/base/errc.hpp"
#include "messages/cache_miss.hpp"
#include "messages/wire_table.hpp"

namespace troupe::wire {

TROUPE_WIRE_ENUM(errc, internal, Errc::INTERNAL)

TROUPE_WIRE_ENUM(core::tier_level, remote, TierLevel::REMOTE)

TROUPE_WIRE_ENUM(cache_miss_reason, evicted, CacheMissReason::EVICTED)

#define CACHE_MISS_FIELDS(F) F(Reason, reason) F(Tokens, tokens)
TROUPE_WIRE(cache_miss, CacheMiss, CACHE_MISS_FIELDS)

#define FAILURE_FIELDS(F) F(Code, code) F(Message, message) F(Param, param)
TROUPE_WIRE(failure, Failure, FAILURE_FIELDS)

#define BLOCK_IDENTITY_FIELDS(F) F(HashLow, hash.low) F(HashHigh, hash.high) F(Symbol, symbol)
TROUPE_WIRE_FLAT(core::block_identity, BlockIdentity, BLOCK_IDENTITY_FIELDS)

#define TOKEN_LOGPROB_FIELDS(F) F(Token, token) F(Logprob, logprob)
TROUPE_WIRE(core::token_logprob, TokenLogprob, TOKEN_LOGPROB_FIELDS)

#define SAMPLED_TOKEN_FIELDS(F) F(Token, token) F(Logprob, logprob) F(Top, top)
TROUPE_WIRE(core::sampled_token, SampledToken, SAMPLED_TOKEN_FIELDS)

#define SAMPLING_PARAMS_FIELDS(F)                                                                             \
  F(Temperature, temperature)                                                                                 \
  F(TopK, top_k)                                                                                              \
  F(TopP, top_p) F(MinP, min_p) F(RepetitionPenalty, repetition_penalty) F(PresencePenalty, presence_penalty) \
      F(FrequencyPenalty, frequency_penalty) F(Seed, seed) F(Logprobs, logprobs)
TROUPE_WIRE(core::sampling_params, SamplingParams, SAMPLING_PARAMS_FIELDS)

}  // namespace troupe::wire
