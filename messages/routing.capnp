# Routes, block events and loads. Handles of workers travel beside these messages, never inside them.
@0xf488d9e8ceb04483;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");
using Common = import "common.capnp";

struct RouteRequest {
  id @0 :UInt64;
  model @1 :Text;
  chain @2 :List(Common.BlockIdentity);
  promptTokens @3 :UInt32;
  outputTokens @4 :UInt32;
  priority @5 :Int32;
  timeoutMs @6 :UInt32;
  hasLastWorker @7 :Bool;
  hasParentWorker @8 :Bool;
  lastWorker @9 :UInt32;
  parentWorker @10 :UInt32;
}

struct RouteGrant {
  id @0 :UInt64;
  worker @1 :UInt32;
  matchedBlocks @2 :UInt32;
  waited @3 :Bool;
}

struct RouteEnd {
  id @0 :UInt64;
}

struct WorkerJoined {
  worker @0 :UInt32;
  model @1 :Text;
  epoch @2 :UInt64;
  blockTokens @3 :UInt32;
}

struct TierJoined {
  tier @0 :UInt32;
  model @1 :Text;
  epoch @2 :UInt64;
  workers @3 :List(UInt32);
}

struct ShardJoined {
  shard @0 :UInt32;
}

enum BlockEventKind {
  stored @0;
  removed @1;
}

# Flat: a snapshot holds every cached block of a worker.
struct BlockEvent {
  what @0 :BlockEventKind;
  hashLow @1 :UInt64;
  hashHigh @2 :UInt64;
  symbol @3 :UInt64;
  parentLow @4 :UInt64;
  parentHigh @5 :UInt64;
}

struct BlockEvents {
  worker @0 :UInt32;
  epoch @1 :UInt64;
  first @2 :UInt64;
  events @3 :List(BlockEvent);
  snapshot @4 :Bool;
}

struct SnapshotRequest {
  worker @0 :UInt32;
}

struct LoadReport {
  worker @0 :UInt32;
  epoch @1 :UInt64;
  running @2 :UInt32;
  waiting @3 :UInt32;
  freeBlocks @4 :UInt32;
  evictableBlocks @5 :UInt32;
  prefillTokensWaiting @6 :UInt64;
  prefillTokensPerS @7 :Float64;
  decodeTokensPerS @8 :Float64;
  onboardBlocksPerS @9 :Float64;
}
