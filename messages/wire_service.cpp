// Rendering, records and the node itself, on the wire.
#include "messages/wire.hpp"
#include "messages/wire_common.hpp"
#include "messages/wire_worker_status.hpp"
#include "schema/service.capnp.h"

namespace troupe::wire {

#define RENDER_REQUEST_FIELDS(F) F(Id, id) F(Model, model) F(Input, input)
TROUPE_WIRE(render_request, RenderRequest, RENDER_REQUEST_FIELDS)

#define RENDER_RESULT_FIELDS(F) F(Text, text)
TROUPE_WIRE(render_result, RenderResult, RENDER_RESULT_FIELDS)

#define TURN_RECORD_FIELDS(F)                                                                                                   \
  F(Id, id)                                                                                                                     \
  F(Session, session)                                                                                                           \
  F(Parent, parent) F(Model, model) F(Worker, worker) F(How, how) F(PromptTokens, prompt_tokens) F(CachedTokens, cached_tokens) \
      F(OutputTokens, output_tokens) F(QueueS, queue_s) F(FirstTokenS, first_token_s) F(TotalS, total_s) F(AtMs, at_ms) F(Tools, tools) \
      F(Miss, miss)
TROUPE_WIRE(turn_record, TurnRecord, TURN_RECORD_FIELDS)

#define LIFECYCLE_RECORD_FIELDS(F) F(Session, session) F(Verb, verb) F(Outcome, outcome) F(BlocksFreed, blocks_freed) F(AtMs, at_ms)
TROUPE_WIRE(lifecycle_record, LifecycleRecord, LIFECYCLE_RECORD_FIELDS)

TROUPE_WIRE_ENUM(prefetch_end, wasted, PrefetchEnd::WASTED)

#define PAUSE_RECORD_FIELDS(F)                                                                                               \
  F(Session, session)                                                                                                       \
  F(Tools, tools) F(TookMs, took_ms) F(ExpectedMs, expected_ms) F(EarlyMs, early_ms) F(MedianMs, median_ms) F(LateMs, late_ms) \
      F(Prefetch, prefetch) F(BlocksPrefetched, blocks_prefetched) F(AtMs, at_ms)
TROUPE_WIRE(pause_record, PauseRecord, PAUSE_RECORD_FIELDS)

#define NO_FIELDS(F)
TROUPE_WIRE(metrics_request, MetricsRequest, NO_FIELDS)
TROUPE_WIRE(directory_request, DirectoryRequest, NO_FIELDS)
TROUPE_WIRE(node_status_request, NodeStatusRequest, NO_FIELDS)

#define METRICS_TEXT_FIELDS(F) F(Text, text)
TROUPE_WIRE(metrics_text, MetricsText, METRICS_TEXT_FIELDS)

#define NODE_STATUS_FIELDS(F) F(State, state) F(Sessions, sessions) F(TurnsRunning, turns_running) F(Restarts, restarts) F(Workers, workers) \
  F(Tiers, tiers)
TROUPE_WIRE(node_status, NodeStatus, NODE_STATUS_FIELDS)

#define DRAIN_REQUEST_FIELDS(F) F(WithinMs, within_ms)
TROUPE_WIRE(drain_request, DrainRequest, DRAIN_REQUEST_FIELDS)

#define DRAIN_DONE_FIELDS(F) F(TurnsFinished, turns_finished) F(TurnsTold, turns_told)
TROUPE_WIRE(drain_done, DrainDone, DRAIN_DONE_FIELDS)

}  // namespace troupe::wire

namespace troupe {

TROUPE_WIRE_MESSAGE(render_request)
TROUPE_WIRE_MESSAGE(render_result)
TROUPE_WIRE_MESSAGE(turn_record)
TROUPE_WIRE_MESSAGE(lifecycle_record)
TROUPE_WIRE_MESSAGE(pause_record)
TROUPE_WIRE_MESSAGE(metrics_request)
TROUPE_WIRE_MESSAGE(metrics_text)
TROUPE_WIRE_MESSAGE(directory_request)
TROUPE_WIRE_MESSAGE(node_status_request)
TROUPE_WIRE_MESSAGE(node_status)
TROUPE_WIRE_MESSAGE(drain_request)
TROUPE_WIRE_MESSAGE(drain_done)

}  // namespace troupe
