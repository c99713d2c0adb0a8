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

struct StoredSegment {
  segment @0 :UInt64;
  entries @1 :List(StoredEntry);
}
