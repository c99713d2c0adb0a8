# What several messages are made of. Strong ids are plain numbers and texts here; their meaning is the field's name.
@0x9e8e794f57d3d456;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");

struct RequestId {
  value @0 :UInt64;
}

# In the order of troupe::errc.
enum Errc {
  none @0;
  invalidRequest @1;
  unsupportedParameter @2;
  unsupportedContent @3;
  templateFailed @4;
  contextLengthExceeded @5;
  promptExceedsCapacity @6;
  modelNotFound @7;
  notFound @8;
  methodNotAllowed @9;
  bodyTooLarge @10;
  headersTooLarge @11;
  unsupportedEncoding @12;
  idempotencyMismatch @13;
  answerNotKept @14;
  quotaReached @15;
  queueFull @16;
  notReady @17;
  draining @18;
  deadlineExceeded @19;
  workerLost @20;
  cancelled @21;
  sessionDead @22;
  forbiddenOrigin @23;
  unauthenticated @24;
  permissionDenied @25;
  corruptData @26;
  ioFailed @27;
  internal @28;
}

enum TierLevel {
  device @0;
  host @1;
  disk @2;
  remote @3;
}

struct Failure {
  code @0 :Errc;
  message @1 :Text;
  param @2 :Text;
}

# Flat: chains hold thousands of these.
struct BlockIdentity {
  hashLow @0 :UInt64;
  hashHigh @1 :UInt64;
  symbol @2 :UInt64;
}

struct TokenLogprob {
  token @0 :Int32;
  logprob @1 :Float32;
}

struct SampledToken {
  token @0 :Int32;
  logprob @1 :Float32;
  top @2 :List(TokenLogprob);
}

struct SamplingParams {
  temperature @0 :Float32;
  topK @1 :Int32;
  topP @2 :Float32;
  minP @3 :Float32;
  repetitionPenalty @4 :Float32;
  presencePenalty @5 :Float32;
  frequencyPenalty @6 :Float32;
  seed @7 :UInt64;
  logprobs @8 :Int32;
}

enum CacheMissReason {
  none @0;
  firstTurn @1;
  modelChanged @2;
  saltChanged @3;
  toolsChanged @4;
  systemChanged @5;
  templateChanged @6;
  reasoningEffortChanged @7;
  contextCompacted @8;
  reasoningStripped @9;
  inputChanged @10;
  workerChanged @11;
  evicted @12;
}

struct CacheMiss {
  reason @0 :CacheMissReason;
  tokens @1 :UInt32;
}
