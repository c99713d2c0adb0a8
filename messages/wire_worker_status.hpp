// The table of worker_status: a message of its own and a part of node_status. Internal to wire*.cpp.
#pragma once

#include "messages/wire_table.hpp"
#include "messages/work.hpp"
#include "schema/work.capnp.h"

namespace troupe::wire {

#define WORKER_STATUS_FIELDS(F)                                                                                                         \
  F(Worker, worker)                                                                                                                     \
  F(Model, model)                                                                                                                       \
  F(Epoch, epoch) F(BlocksTotal, blocks_total) F(BlocksFree, blocks_free) F(BlocksLeased, blocks_leased) F(BlocksCached, blocks_cached) \
      F(BlocksStored, blocks_stored) F(BlocksEvicted, blocks_evicted) F(BlocksFreedByDeath, blocks_freed_by_death)                      \
          F(HashMismatches, hash_mismatches) F(Running, running) F(Waiting, waiting) F(Steps, steps) F(Preemptions, preemptions)        \
              F(TokensComputed, tokens_computed) F(TokensReused, tokens_reused) F(TokensSampled, tokens_sampled)                        \
                  F(NumericClass, numeric_class) F(Integrity, integrity)
TROUPE_WIRE(worker_status, WorkerStatus, WORKER_STATUS_FIELDS)

}  // namespace troupe::wire
