# Rendering, records and the node itself.
@0xcf8e94bcab5298ed;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");
using Common = import "common.capnp";
using Work = import "work.capnp";

struct RenderRequest {
  id @0 :UInt64;
  model @1 :Text;
  input @2 :Text;
}

struct RenderResult {
  text @0 :Text;
}

struct TurnRecord {
  id @0 :UInt64;
  session @1 :Text;
  parent @2 :Text;
  model @3 :Text;
  worker @4 :UInt32;
  how @5 :Text;
  promptTokens @6 :UInt32;
  cachedTokens @7 :UInt32;
  outputTokens @8 :UInt32;
  queueS @9 :Float64;
  firstTokenS @10 :Float64;
  totalS @11 :Float64;
  atMs @12 :Int64;
  tools @13 :List(Text);
  miss @14 :Common.CacheMiss;
}

struct LifecycleRecord {
  session @0 :Text;
  verb @1 :Text;
  outcome @2 :Text;
  blocksFreed @3 :UInt32;
  atMs @4 :Int64;
}

enum PrefetchEnd {
  none @0;
  inTime @1;
  late @2;
  wasted @3;
}

struct PauseRecord {
  session @0 :Text;
  tools @1 :List(Text);
  tookMs @2 :Int64;
  expectedMs @3 :Int64;
  earlyMs @4 :Int64;
  medianMs @5 :Int64;
  lateMs @6 :Int64;
  prefetch @7 :PrefetchEnd;
  blocksPrefetched @8 :UInt32;
  atMs @9 :Int64;
}

struct MetricsRequest {
}

struct MetricsText {
  text @0 :Text;
}

struct DirectoryRequest {
}

struct NodeStatusRequest {
}

struct NodeStatus {
  state @0 :Text;
  sessions @1 :UInt32;
  turnsRunning @2 :UInt32;
  restarts @3 :UInt32;
  workers @4 :List(Work.WorkerStatus);
  tiers @5 :List(Work.TierStatus);
}

struct DrainRequest {
  withinMs @0 :UInt32;
}

struct DrainDone {
  turnsFinished @0 :UInt32;
  turnsTold @1 :UInt32;
}
