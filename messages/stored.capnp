# Blocks as disk and remote store keep them. Tokens and payload lie beside the header, see engine/store/README.md.
@0xd3a91c5e7bf2604b;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("troupe::schema");

# The header of one record: what must agree before its payload may be loaded, and how long it is worth keeping.
struct StoredHeader {
  hashLow @0 :UInt64;
  hashHigh @1 :UInt64;
  symbol @2 :UInt64;
  parentLow @3 :UInt64;
  parentHigh @4 :UInt64;
  layout @5 :UInt64;
  scope @6 :UInt64;
  keyId @7 :UInt64;
  expiresMs @8 :Int64;
  role @9 :UInt8;
  priority @10 :UInt8;
}

# One record as the footer of its segment lists it.
struct StoredEntry {
  header @0 :StoredHeader;
  check @1 :UInt64;
  offset @2 :UInt64;
  frontBytes @3 :UInt32;
  payloadBytes @4 :UInt32;
}

# A response of the Responses protocol. `body` and `input` are JSON texts. With `deleted` only the names count: it is to be had no more,
# but later responses still go on from it.
struct StoredResponse {
  version @0 :UInt16;
  deleted @1 :Bool;
  tenant @2 :Text;
  id @3 :Text;
  previous @4 :Text;
  session @5 :Text;
  createdS @6 :Int64;
  input @7 :Text;
  body @8 :Text;
}

# A piece of a StoredResponse's bytes, as one journal record. All pieces of one follow each other.
struct StoredResponsePart {
  index @0 :UInt32;
  count @1 :UInt32;
  bytes @2 :Data;
}

struct StoredSegment {
  segment @0 :UInt64;
  entries @1 :List(StoredEntry);
}
