// Routes, block events and loads, on the wire.
#include "messages/wire.hpp"
#include "messages/wire_common.hpp"
#include "schema/routing.capnp.h"

namespace troupe::wire {

TROUPE_WIRE_ENUM(core::block_event::kind, removed, BlockEventKind::REMOVED)

#define ROUTE_REQUEST_FIELDS(F)                                                                                                \
  F(Id, id)                                                                                                                    \
  F(Model, model)                                                                                                              \
  F(Chain, chain) F(PromptTokens, prompt_tokens) F(OutputTokens, output_tokens) F(Priority, priority) F(TimeoutMs, timeout_ms) \
      F(HasLastWorker, has_last_worker) F(HasParentWorker, has_parent_worker) F(LastWorker, last_worker) F(ParentWorker, parent_worker)
TROUPE_WIRE(route_request, RouteRequest, ROUTE_REQUEST_FIELDS)

#define ROUTE_GRANT_FIELDS(F) F(Id, id) F(Worker, worker) F(MatchedBlocks, matched_blocks) F(Waited, waited)
TROUPE_WIRE(route_grant, RouteGrant, ROUTE_GRANT_FIELDS)

#define ROUTE_END_FIELDS(F) F(Id, id)
TROUPE_WIRE(route_end, RouteEnd, ROUTE_END_FIELDS)

#define WORKER_JOINED_FIELDS(F) F(Worker, worker) F(Model, model) F(Epoch, epoch) F(BlockTokens, block_tokens)
TROUPE_WIRE(worker_joined, WorkerJoined, WORKER_JOINED_FIELDS)

#define TIER_JOINED_FIELDS(F) F(Tier, tier) F(Model, model) F(Epoch, epoch) F(Workers, workers)
TROUPE_WIRE(tier_joined, TierJoined, TIER_JOINED_FIELDS)

#define SHARD_JOINED_FIELDS(F) F(Shard, shard)
TROUPE_WIRE(shard_joined, ShardJoined, SHARD_JOINED_FIELDS)

#define BLOCK_EVENT_FIELDS(F) \
  F(What, what)               \
  F(HashLow, block.hash.low) F(HashHigh, block.hash.high) F(Symbol, block.symbol) F(ParentLow, parent.low) F(ParentHigh, parent.high)
TROUPE_WIRE_FLAT(core::block_event, BlockEvent, BLOCK_EVENT_FIELDS)

#define BLOCK_EVENTS_FIELDS(F) F(Worker, worker) F(Epoch, epoch) F(First, first) F(Events, events) F(Snapshot, snapshot)
TROUPE_WIRE(block_events, BlockEvents, BLOCK_EVENTS_FIELDS)

#define SNAPSHOT_REQUEST_FIELDS(F) F(Worker, worker)
TROUPE_WIRE(snapshot_request, SnapshotRequest, SNAPSHOT_REQUEST_FIELDS)

#define LOAD_REPORT_FIELDS(F)                                                                             \
  F(Worker, worker)                                                                                       \
  F(Epoch, epoch)                                                                                         \
  F(Running, running) F(Waiting, waiting) F(FreeBlocks, free_blocks) F(EvictableBlocks, evictable_blocks) \
      F(PrefillTokensWaiting, prefill_tokens_waiting) F(PrefillTokensPerS, prefill_tokens_per_s) F(DecodeTokensPerS, decode_tokens_per_s) F(OnboardBlocksPerS, onboard_blocks_per_s)
TROUPE_WIRE(load_report, LoadReport, LOAD_REPORT_FIELDS)

}  // namespace troupe::wire

namespace troupe {

TROUPE_WIRE_MESSAGE(route_request)
TROUPE_WIRE_MESSAGE(route_grant)
TROUPE_WIRE_MESSAGE(route_end)
TROUPE_WIRE_MESSAGE(worker_joined)
TROUPE_WIRE_MESSAGE(tier_joined)
TROUPE_WIRE_MESSAGE(shard_joined)
TROUPE_WIRE_MESSAGE(block_events)
TROUPE_WIRE_MESSAGE(snapshot_request)
TROUPE_WIRE_MESSAGE(load_report)

}  // namespace troupe
