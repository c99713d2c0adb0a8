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
  previousResponseNotFound @9;
  methodNotAllowed @10;
  bodyTooLarge @11;
  headersTooLarge @12;
  unsupportedEncoding @13;
  idempotencyMismatch @14;
  answerNotKept @15;
  quotaReached @16;
  queueFull @17;
  notReady @18;
  draining @19;
  deadlineExceeded @20;
  workerLost @21;
  cancelled @22;
  sessionDead @23;
  forbiddenOrigin @24;
  unauthenticated @25;
  permissionDenied @26;
  corruptData @27;
  ioFailed @28;
  internal @29;
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
