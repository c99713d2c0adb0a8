# What a session asks of a worker and what the worker streams back.
@0xf3a070cc3919f9a0;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");
using Common = import "common.capnp";

enum TurnInput {
  unknown @0;
  person @1;
  toolResult @2;
}

enum TurnEnd {
  unknown @0;
  toolCalls @1;
  stop @2;
  length @3;
}

enum EvictionCause {
  capacity @0;
  ttl @1;
  death @2;
  compaction @3;
  rewind @4;
  superseded @5;
  quota @6;
}

struct ToolPause {
  tool @0 :UInt64;
  isSubagent @1 :Bool;
  expectedMs @2 :Int64;
  tookMs @3 :Int64;
}

# In the order of troupe::core::block_role.
enum BlockRole {
  unknown @0;
  system @1;
  tools @2;
  user @3;
  toolResult @4;
  reasoning @5;
  output @6;
}

struct RoleRange {
  role @0 :BlockRole;
  tokenEnd @1 :UInt32;
}

struct ToldRole {
  block @0 :Common.BlockIdentity;
  role @1 :BlockRole;
}

struct AdmitRequest {
  id @0 :UInt64;
  tokens @1 :List(Int32);
  continued @2 :UInt32;
  chain @3 :List(Common.BlockIdentity);
  scopeSeed @4 :UInt64;
  owner @5 :UInt64;
  sampling @6 :Common.SamplingParams;
  tokensMax @7 :UInt32;
  tokensMin @8 :UInt32;
  stopTokens @9 :List(Int32);
  priority @10 :Int32;
  timeoutMs @11 :UInt32;
  input @12 :TurnInput;
  paused @13 :ToolPause;
  maxTier @14 :Common.TierLevel;
  isAhead @15 :Bool;
  outputTokens @16 :UInt32;
  session @17 :UInt64;
  isSubagent @18 :Bool;
  roles @19 :List(RoleRange);
  tenant @20 :UInt16;
}

struct TurnOutcome {
  id @0 :UInt64;
  owner @1 :UInt64;
  end @2 :TurnEnd;
  outputTokens @3 :UInt32;
  pause @4 :ToolPause;
  promptTokens @5 :UInt32;
  roles @6 :List(ToldRole);
  isSide @7 :Bool;
}

struct PauseForecast {
  earlyMs @0 :Int64;
  medianMs @1 :Int64;
  lateMs @2 :Int64;
  loadMs @3 :Int64;
}

struct RetentionWish {
  last @0 :Common.BlockIdentity;
  blocks @1 :UInt32;
  rank @2 :UInt8;
  ttlMs @3 :UInt32;
}

struct OwnerIntent {
  owner @0 :UInt64;
  generation @1 :UInt64;
  wishes @2 :List(RetentionWish);
  chain @3 :List(Common.BlockIdentity);
}

struct IntentApplied {
  generation @0 :UInt64;
  blocksPinned @1 :UInt32;
  blocksClipped @2 :UInt32;
}

struct OwnerForget {
  owner @0 :UInt64;
  blocks @1 :List(Common.BlockIdentity);
  cause @2 :EvictionCause;
}

enum FinishReason {
  stop @0;
  length @1;
  cancelled @2;
  deadline @3;
  failed @4;
}

struct SequenceProgress {
  id @0 :UInt64;
  started @1 :Bool;
  promptTokens @2 :UInt32;
  cachedTokens @3 :UInt32;
  firstIndex @4 :UInt32;
  tokens @5 :List(Common.SampledToken);
  ended @6 :Bool;
  reason @7 :FinishReason;
  error @8 :Common.Failure;
}

struct SequenceCancel {
  id @0 :UInt64;
}

struct OwnerRelease {
  owner @0 :UInt64;
  keepStored @1 :Bool;
  cause @2 :EvictionCause;
  heir @3 :UInt64;
  head @4 :List(Common.BlockIdentity);
}

struct OwnerReleased {
  blocksFreed @0 :UInt32;
}

struct OwnerDemote {
  owner @0 :UInt64;
}

struct OwnerDemoted {
  blocks @0 :UInt32;
}

struct PrefetchRequest {
  id @0 :UInt64;
  owner @1 :UInt64;
  tokens @2 :List(Int32);
  chain @3 :List(Common.BlockIdentity);
  scopeSeed @4 :UInt64;
  timeoutMs @5 :UInt32;
  tenant @6 :UInt16;
}

struct PrefetchDone {
  id @0 :UInt64;
  blocksOnboarded @1 :UInt32;
  blocksReady @2 :UInt32;
}

struct WorkerStatusRequest {
}

struct WorkerStatus {
  worker @0 :UInt32;
  model @1 :Text;
  epoch @2 :UInt64;
  blocksTotal @3 :UInt32;
  blocksFree @4 :UInt32;
  blocksLeased @5 :UInt32;
  blocksCached @6 :UInt32;
  blocksStored @7 :UInt64;
  hashMismatches @8 :UInt64;
  blocksRemoved @9 :List(UInt64);
  tokensComputed @10 :UInt64;
  running @11 :UInt32;
  waiting @12 :UInt32;
  steps @13 :UInt64;
  preemptions @14 :UInt64;
  tokensReused @15 :UInt64;
  tokensSampled @16 :UInt64;
  numericClass @17 :Text;
  integrity @18 :Text;
  blocksOnboarded @19 :UInt64;
  blocksOffloaded @20 :UInt64;
  blocksRecomputed @21 :UInt64;
  transferFailures @22 :UInt64;
  blocksPinned @23 :UInt32;
  sessionsWaiting @24 :UInt32;
  sessionWaitsByRoom @25 :UInt64;
  sessionWaitsByBound @26 :UInt64;
  blocksInherited @27 :UInt64;
  blocksByRole @28 :List(UInt32);
  tenants @29 :List(Text);
  blocksByTenant @30 :List(UInt32);
}

struct TierStatusRequest {
}

struct TierStatus {
  tier @0 :UInt32;
  model @1 :Text;
  kind @2 :Text;
  epoch @3 :UInt64;
  bytesTotal @4 :UInt64;
  blocksTotal @5 :UInt32;
  blocksFree @6 :UInt32;
  blocksLeased @7 :UInt32;
  blocksCached @8 :UInt32;
  blocksStored @9 :UInt64;
  blocksRemoved @10 :List(UInt64);
  hashMismatches @11 :UInt64;
  blocksRead @12 :UInt64;
  blocksRefused @13 :UInt64;
  integrity @14 :Text;
  blocksFailed @15 :UInt64;
  blocksRecomputed @16 :UInt64;
  blocksPinned @17 :UInt32;
  blocksClipped @18 :UInt64;
  blocksGivenUp @19 :UInt64;
  blocksByRole @20 :List(UInt32);
  tenants @21 :List(Text);
  blocksByTenant @22 :List(UInt32);
}
