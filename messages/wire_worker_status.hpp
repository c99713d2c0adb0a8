// The tables of worker_status and tier_status: messages of their own and parts of node_status. Internal to wire*.cpp.
#pragma once

#include "messages/wire_table.hpp"
#include "messages/work.hpp"
#include "schema/work.capnp.h"

namespace troupe::wire {

#define WORKER_STATUS_FIELDS(F)                                                                                                         \
  F(Worker, worker)                                                                                                                     \
  F(Model, model)                                                                                                                       \
  F(Epoch, epoch) F(BlocksTotal, blocks_total) F(BlocksFree, blocks_free) F(BlocksLeased, blocks_leased) F(BlocksCached, blocks_cached) F(BlocksPinned, blocks_pinned) \
      F(BlocksStored, blocks_stored) F(BlocksRemoved, blocks_removed)                                                                  \
          F(HashMismatches, hash_mismatches) F(Running, running) F(Waiting, waiting) F(Steps, steps) F(Preemptions, preemptions)        \
              F(TokensComputed, tokens_computed) F(TokensReused, tokens_reused) F(TokensSampled, tokens_sampled)                        \
                  F(BlocksOnboarded, blocks_onboarded) F(BlocksOffloaded, blocks_offloaded) F(BlocksRecomputed, blocks_recomputed)      \
                      F(TransferFailures, transfer_failures) F(SessionsWaiting, sessions_waiting)                                       \
                          F(SessionWaitsByRoom, session_waits_by_room) F(SessionWaitsByBound, session_waits_by_bound)                   \
                              F(BlocksInherited, blocks_inherited) F(BlocksByRole, blocks_by_role) F(Tenants, tenants) F(BlocksByTenant, blocks_by_tenant) \
                  F(NumericClass, numeric_class) F(Integrity, integrity)
TROUPE_WIRE(worker_status, WorkerStatus, WORKER_STATUS_FIELDS)

#define TIER_STATUS_FIELDS(F)                                                                                                           \
  F(Tier, tier)                                                                                                                         \
  F(Model, model)                                                                                                                       \
  F(Kind, kind) F(Epoch, epoch) F(BytesTotal, bytes_total) F(BlocksTotal, blocks_total) F(BlocksFree, blocks_free)                      \
      F(BlocksLeased, blocks_leased) F(BlocksCached, blocks_cached) F(BlocksPinned, blocks_pinned) F(BlocksStored, blocks_stored) F(BlocksRemoved, blocks_removed)     \
          F(HashMismatches, hash_mismatches) F(BlocksRead, blocks_read)                    \
              F(BlocksRefused, blocks_refused) F(BlocksFailed, blocks_failed) F(BlocksRecomputed, blocks_recomputed)                   \
                  F(BlocksClipped, blocks_clipped) F(BlocksGivenUp, blocks_given_up) F(BlocksByRole, blocks_by_role) F(Tenants, tenants) F(BlocksByTenant, blocks_by_tenant) F(Integrity, integrity)
TROUPE_WIRE(tier_status, TierStatus, TIER_STATUS_FIELDS)

}  // namespace troupe::wire
