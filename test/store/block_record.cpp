// The stored form of a block and its encryption.
#include "engine/store/block_record.hpp"

#include <fstream>

#include "test/store/stored_samples.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::test;

namespace {

std::shared_ptr<block_cipher> cipher_of(unsigned char fill) {
  block_cipher::key key;
  key.fill(fill);
  return std::make_shared<block_cipher>(key);
}

struct sealed_record {
  std::vector<std::byte> front, payload;
};

sealed_record seal(record_codec& codec, std::uint64_t number, std::size_t bytes, record_place place) {
  sealed_record record{{}, sample_payload(number, bytes)};
  std::vector<std::byte> encrypted(codec.encrypts() ? bytes : 0);
  record.front = codec.seal(sample_block(number), record.payload, encrypted, place);
  if (codec.encrypts()) record.payload = encrypted;
  return record;
}

store_result open(record_codec& codec, const sealed_record& record, record_place place, const stored_block& wanted,
                  std::size_t bytes = 1000) {
  std::vector<std::byte> destination(bytes);
  stored_retention retention;
  const auto result = codec.open(record.front, place, record.payload, wanted, destination, retention);
  if (result == store_result::loaded) {
    CHECK(destination == sample_payload(5, bytes));
    CHECK(retention == sample_block(5).retention);
  }
  return result;
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const auto each : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned>(each) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned>(each) & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("the cipher gives the published results of XAES-256-GCM") {
  const auto run = [](unsigned char fill, const std::string& authenticated) {
    const auto cipher = cipher_of(fill);
    const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWX", text = "XAES-256-GCM";
    block_cipher::nonce nonce;
    std::memcpy(nonce.data(), letters.data(), nonce.size());
    std::vector<std::byte> out(text.size());
    const std::array<block_cipher::part, 1> parts{{{std::as_bytes(std::span(text)), out}}};
    const auto tag = cipher->seal(nonce, std::as_bytes(std::span(authenticated)), parts);
    return hex(out) + hex(std::as_bytes(std::span(tag)));
  };
  CHECK(run(1, "") == "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  CHECK(run(3, "c2sp.org/XAES-256-GCM") == "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST_CASE("a record opens for the block it was made from and no other") {
  for (const auto& cipher : {std::shared_ptr<block_cipher>(), cipher_of(9)}) {
    record_codec codec(cipher);
    const record_place place{77};
    const auto record = seal(codec, 5, 1000, place);
    CHECK(record.front.size() == record_codec::front_bytes(sample_block(5)));
    CHECK(front_length(record.front) == record.front.size());
    const auto wanted = sample_block(5);
    CHECK(open(codec, record, place, wanted) == store_result::loaded);
    CHECK(open(codec, record, nowhere, wanted) == store_result::corrupt);
    CHECK(open(codec, record, place, wanted, 999) == store_result::mismatched);
    auto other = wanted;
    other.layout.value ^= 1;
    CHECK(open(codec, record, place, other) == store_result::mismatched);
    other = wanted;
    other.scope.value ^= 1;
    CHECK(open(codec, record, place, other) == store_result::mismatched);
    other = wanted;
    other.parent.high ^= 1;
    CHECK(open(codec, record, place, other) == store_result::mismatched);
    other = wanted;
    other.tokens[31] ^= 1;
    CHECK(open(codec, record, place, other) == store_result::mismatched);
    other = wanted;
    other.tokens.pop_back();
    CHECK(open(codec, record, place, other) == store_result::mismatched);
  }
}

TEST_CASE("every flipped bit of a record is found") {
  for (const auto& cipher : {std::shared_ptr<block_cipher>(), cipher_of(9)}) {
    record_codec codec(cipher);
    const auto record = seal(codec, 5, 1000, nowhere);
    for (std::size_t bit = 0; bit < 8 * (record.front.size() + record.payload.size()); ++bit) {
      auto damaged = record;
      const auto byte = bit / 8;
      (byte < record.front.size() ? damaged.front[byte] : damaged.payload[byte - record.front.size()]) ^= std::byte(1 << bit % 8);
      if (open(codec, damaged, nowhere, sample_block(5)) != store_result::corrupt) FAIL_CHECK("bit " << bit);
    }
  }
}

TEST_CASE("a record cut anywhere, moved or made of two is found") {
  record_codec codec;
  const auto record = seal(codec, 5, 1000, nowhere);
  for (std::size_t size = 0; size < record.front.size(); ++size)
    CHECK_FALSE(read_front(std::span(record.front).first(size), nowhere).has_value());
  auto moved = record;
  move_front(moved.front, {3});
  CHECK(open(codec, moved, {3}, sample_block(5)) == store_result::loaded);
  CHECK(open(codec, moved, nowhere, sample_block(5)) == store_result::corrupt);
  CHECK(open(codec, {record.front, seal(codec, 6, 1000, nowhere).payload}, nowhere, sample_block(5)) == store_result::corrupt);
}

TEST_CASE("encrypted records show neither tokens nor payload, and open under their own key alone") {
  record_codec codec(cipher_of(1)), other(cipher_of(2)), none;
  const auto record = seal(codec, 5, 1000, nowhere);
  const auto block = sample_block(5);
  const auto holds = [](std::span<const std::byte> text, std::span<const std::byte> part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end()) != text.end();
  };
  CHECK_FALSE(holds(record.front, std::as_bytes(std::span(block.tokens)).first(8)));
  const auto payload = sample_payload(5, 1000);
  CHECK_FALSE(holds(record.payload, std::span(payload).first(8)));
  CHECK(seal(codec, 5, 1000, nowhere).payload != record.payload);
  CHECK(open(other, record, nowhere, block) == store_result::mismatched);
  CHECK(open(none, record, nowhere, block) == store_result::mismatched);
  CHECK(open(codec, seal(none, 5, 1000, nowhere), nowhere, block) == store_result::mismatched);
  // With a cipher, a header that was changed and given a new checksum is not believed.
  auto forged = record;
  forged.front[record_prefix_bytes + 16 + 72] ^= std::byte{1};
  move_front(forged.front, nowhere);
  CHECK(open(codec, forged, nowhere, block) == store_result::corrupt);
}

TEST_CASE("a key file has 32 bytes that only its owner may read") {
  temporary_folder folder;
  const auto file = folder.path / "key";
  const auto write = [&file](std::size_t bytes, std::filesystem::perms mode) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << std::string(bytes, 'k');
    std::filesystem::permissions(file, mode);
  };
  using std::filesystem::perms;
  write(32, perms::owner_read | perms::owner_write);
  const auto good = block_cipher::from_file(file);
  REQUIRE(good);
  CHECK((*good)->key_id() == cipher_of('k')->key_id());
  CHECK((*good)->key_id() != cipher_of('l')->key_id());
  write(32, perms::owner_read | perms::owner_write | perms::group_read);
  CHECK(block_cipher::from_file(file).error().code == errc::invalid_request);
  write(33, perms::owner_read | perms::owner_write);
  CHECK(block_cipher::from_file(file).error().code == errc::corrupt_data);
  write(31, perms::owner_read | perms::owner_write);
  CHECK(block_cipher::from_file(file).error().code == errc::corrupt_data);
  CHECK(block_cipher::from_file(folder.path / "none").error().code == errc::io_failed);
}
