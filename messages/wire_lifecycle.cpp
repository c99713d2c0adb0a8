// The life of a session, on the wire and in the session journal.
#include "messages/wire.hpp"
#include "messages/wire_common.hpp"
#include "schema/lifecycle.capnp.h"

namespace troupe::wire {

TROUPE_WIRE_ENUM(session_state, dead, SessionState::DEAD)
TROUPE_WIRE_ENUM(verb_kind, release, VerbKind::RELEASE)
TROUPE_WIRE_ENUM(verb_outcome, missing, VerbOutcome::MISSING)

#define SESSION_SPAWN_FIELDS(F) F(Id, id) F(Parent, parent) F(Model, model) F(Priority, priority) F(OneTurn, one_turn)
TROUPE_WIRE(session_spawn, SessionSpawn, SESSION_SPAWN_FIELDS)

#define SESSION_FIND_FIELDS(F) F(Id, id)
TROUPE_WIRE(session_find, SessionFind, SESSION_FIND_FIELDS)

#define SESSION_LIST_FIELDS(F) F(Limit, limit) F(WithDead, with_dead) F(Tenant, tenant)
TROUPE_WIRE(session_list, SessionList, SESSION_LIST_FIELDS)

#define SESSION_VERB_FIELDS(F)                                                                                             \
  F(Session, session)                                                                                                      \
  F(Id, id) F(What, what) F(ExpectMs, expect_ms) F(Tools, tools) F(TtlMs, ttl_ms) F(Priority, priority)                     \
      F(TokenBegin, token_begin) F(TokenEnd, token_end)
TROUPE_WIRE(session_verb, SessionVerb, SESSION_VERB_FIELDS)

#define VERB_ANSWER_FIELDS(F) F(Id, id) F(Outcome, outcome) F(Detail, detail) F(BlocksFreed, blocks_freed)
TROUPE_WIRE(verb_answer, VerbAnswer, VERB_ANSWER_FIELDS)

#define SESSION_INFO_FIELDS(F)                                                                                                     \
  F(Id, id)                                                                                                                        \
  F(Parent, parent)                                                                                                                \
  F(Model, model) F(State, state) F(Incarnation, incarnation) F(Turns, turns) F(Children, children) F(PromptTokens, prompt_tokens) \
      F(CachedTokens, cached_tokens) F(OutputTokens, output_tokens) F(ContextTokens, context_tokens) F(CreatedMs, created_ms)      \
          F(UsedMs, used_ms) F(PausedOn, paused_on) F(RoleTokens, role_tokens) F(Miss, miss)
TROUPE_WIRE(session_info, SessionInfo, SESSION_INFO_FIELDS)

#define SESSION_LISTING_FIELDS(F) F(Sessions, sessions)
TROUPE_WIRE(session_listing, SessionListing, SESSION_LISTING_FIELDS)

#define SESSION_CHILD_FIELDS(F) F(Id, id)
TROUPE_WIRE(session_child, SessionChild, SESSION_CHILD_FIELDS)

#define SESSION_RECORD_FIELDS(F) F(Info, info)
TROUPE_WIRE(session_record, SessionRecord, SESSION_RECORD_FIELDS)

#define KEPT_WISH_FIELDS(F) F(TokenBegin, token_begin) F(TokenEnd, token_end) F(Rank, rank) F(UntilMs, until_ms)
TROUPE_WIRE(kept_wish, KeptWish, KEPT_WISH_FIELDS)

#define INTENT_RECORD_FIELDS(F) F(Id, id) F(Incarnation, incarnation) F(Generation, generation) F(Wishes, wishes)
TROUPE_WIRE(intent_record, IntentRecord, INTENT_RECORD_FIELDS)

#define SESSION_GONE_FIELDS(F) F(Id, id)
TROUPE_WIRE(session_gone, SessionGone, SESSION_GONE_FIELDS)

}  // namespace troupe::wire

namespace troupe {

TROUPE_WIRE_MESSAGE(session_spawn)
TROUPE_WIRE_MESSAGE(session_find)
TROUPE_WIRE_MESSAGE(session_list)
TROUPE_WIRE_MESSAGE(session_verb)
TROUPE_WIRE_MESSAGE(verb_answer)
TROUPE_WIRE_MESSAGE(session_info)
TROUPE_WIRE_MESSAGE(session_listing)
TROUPE_WIRE_MESSAGE(session_child)
TROUPE_WIRE_MESSAGE(session_record)
TROUPE_WIRE_MESSAGE(intent_record)
TROUPE_WIRE_MESSAGE(session_gone)

}  // namespace troupe
