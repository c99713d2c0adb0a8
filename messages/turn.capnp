# One turn between the gateway and a session. NaN floats of SamplingWish mean "not set" and cross bit for bit.
@0xdff0ffdddc55c683;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");
using Common = import "common.capnp";

enum ChatRole {
  system @0;
  user @1;
  assistant @2;
  tool @3;
}

enum ChatBlockKind {
  text @0;
  reasoning @1;
  toolCall @2;
  toolResult @3;
}

struct ChatBlock {
  what @0 :ChatBlockKind;
  text @1 :Text;
  id @2 :Text;
  name @3 :Text;
  cacheTtlMs @4 :UInt32;
}

struct ChatMessage {
  role @0 :ChatRole;
  blocks @1 :List(ChatBlock);
}

struct ChatTool {
  name @0 :Text;
  json @1 :Text;
}

enum TurnPromptKind {
  chat @0;
  text @1;
  tokens @2;
}

struct TurnPrompt {
  what @0 :TurnPromptKind;
  messages @1 :List(ChatMessage);
  tools @2 :List(ChatTool);
  templateArguments @3 :Text;
  continueFinalMessage @4 :Bool;
  text @5 :Text;
  tokens @6 :List(Int32);
}

struct SamplingWish {
  temperature @0 :Float32;
  topP @1 :Float32;
  minP @2 :Float32;
  repetitionPenalty @3 :Float32;
  presencePenalty @4 :Float32;
  frequencyPenalty @5 :Float32;
  topK @6 :Int32;
  logprobs @7 :Int32;
  seed @8 :UInt64;
  hasSeed @9 :Bool;
}

struct RetainRange {
  tokenBegin @0 :UInt32;
  tokenEnd @1 :UInt32;
  priority @2 :Int32;
  ttlMs @3 :UInt32;
}

enum WorkClass {
  background @0;
  normal @1;
  interactive @2;
}

struct AgentHints {
  priority @0 :Int32;
  outputTokens @1 :UInt32;
  pauseMs @2 :UInt32;
  finalTurn @3 :Bool;
  maxTier @4 :Common.TierLevel;
  cacheTtlMs @5 :UInt32;
  retain @6 :List(RetainRange);
  urgency @7 :WorkClass = normal;
  tier @8 :UInt32;
  isSide @9 :Bool;
  speculate @10 :Bool = true;
  resumeAtMs @11 :Int64;
  breakpointPriority @12 :Int32 = 60;
}

struct TurnRequest {
  id @0 :UInt64;
  model @1 :Text;
  prompt @2 :TurnPrompt;
  sampling @3 :SamplingWish;
  tokensMax @4 :UInt32;
  tokensMin @5 :UInt32;
  stop @6 :List(Text);
  stopTokens @7 :List(Int32);
  ignoreEos @8 :Bool;
  skipSpecialTokens @9 :Bool;
  parseTools @10 :Bool;
  cacheSalt @11 :Text;
  hints @12 :AgentHints;
  timeoutMs @13 :UInt32;
  clipTokensMax @14 :Bool;
}

struct TurnStarted {
  id @0 :UInt64;
  promptTokens @1 :UInt32;
  cachedTokens @2 :UInt32;
}

enum TurnDeltaKind {
  text @0;
  reasoning @1;
  toolBegin @2;
  toolArguments @3;
}

struct TurnDelta {
  what @0 :TurnDeltaKind;
  id @1 :UInt64;
  sequence @2 :UInt32;
  text @3 :Text;
  toolIndex @4 :UInt32;
  toolId @5 :Text;
  toolName @6 :Text;
  tokens @7 :List(Common.SampledToken);
  tokenTexts @8 :List(Text);
  outputTokens @9 :UInt32;
}

enum TurnEnd {
  stop @0;
  length @1;
  toolCalls @2;
  failed @3;
}

struct TurnUsage {
  promptTokens @0 :UInt32;
  cachedTokens @1 :UInt32;
  outputTokens @2 :UInt32;
  reasoningTokens @3 :UInt32;
  queueS @4 :Float64;
  firstTokenS @5 :Float64;
  totalS @6 :Float64;
  miss @7 :Common.CacheMiss;
}

struct TurnFinished {
  id @0 :UInt64;
  how @1 :TurnEnd;
  stopString @2 :Text;
  error @3 :Common.Failure;
  usage @4 :TurnUsage;
}

struct TurnCancel {
  id @0 :UInt64;
  why @1 :Common.Errc;
}
