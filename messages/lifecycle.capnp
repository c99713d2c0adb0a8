# The life of a session. SessionRecord and IntentRecord are also what the session journal stores.
@0xb6ae69ea534edfa2;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");
using Common = import "common.capnp";

enum SessionState {
  idle @0;
  generating @1;
  toolPaused @2;
  dormant @3;
  dead @4;
}

enum VerbKind {
  spawn @0;
  toolPause @1;
  resume @2;
  compact @3;
  die @4;
  pin @5;
  retain @6;
  demote @7;
  prefetch @8;
  release @9;
}

enum VerbOutcome {
  accepted @0;
  clipped @1;
  deferred @2;
  rejected @3;
  missing @4;
}

struct SessionSpawn {
  id @0 :Text;
  parent @1 :Text;
  model @2 :Text;
  priority @3 :Int32;
  oneTurn @4 :Bool;
}

struct SessionFind {
  id @0 :Text;
}

struct SessionList {
  limit @0 :UInt32;
  withDead @1 :Bool;
  tenant @2 :Text;
}

struct SessionVerb {
  session @0 :Text;
  id @1 :Text;
  what @2 :VerbKind;
  expectMs @3 :UInt32;
  tools @4 :List(Text);
  ttlMs @5 :UInt32;
  priority @6 :Int32;
  tokenBegin @7 :UInt32;
  tokenEnd @8 :UInt32;
}

struct VerbAnswer {
  id @0 :Text;
  outcome @1 :VerbOutcome;
  detail @2 :Text;
  blocksFreed @3 :UInt32;
}

struct SessionInfo {
  id @0 :Text;
  parent @1 :Text;
  model @2 :Text;
  state @3 :SessionState;
  incarnation @4 :UInt32;
  turns @5 :UInt32;
  children @6 :UInt32;
  promptTokens @7 :UInt64;
  cachedTokens @8 :UInt64;
  outputTokens @9 :UInt64;
  contextTokens @10 :UInt32;
  createdMs @11 :Int64;
  usedMs @12 :Int64;
  pausedOn @13 :List(Text);
  roleTokens @14 :List(UInt32);
  miss @15 :Common.CacheMiss;
}

struct SessionListing {
  sessions @0 :List(SessionInfo);
}

struct SessionChild {
  id @0 :Text;
}

struct SessionRecord {
  info @0 :SessionInfo;
}

struct KeptWish {
  tokenBegin @0 :UInt32;
  tokenEnd @1 :UInt32;
  rank @2 :UInt8;
  untilMs @3 :Int64;
}

struct IntentRecord {
  id @0 :Text;
  incarnation @1 :UInt32;
  generation @2 :UInt64;
  wishes @3 :List(KeptWish);
}

struct SessionGone {
  id @0 :Text;
}
