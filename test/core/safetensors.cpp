#include "engine/core/model/safetensors.hpp"

#include <doctest/doctest.h>

#include "test/support/tiny_model.hpp"

using namespace troupe;
using namespace troupe::core;
using test::safetensors_file;

namespace {

/// Two tensors, one metadata entry: 24 + 4 bytes of data.
std::string good_header() {
  return R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
         R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]}})";
}
std::string good_data() { return std::string(28, '\x01'); }

expected<safetensors> open_bytes(const std::string& bytes) {
  const test::temporary_folder folder;
  test::write_file(folder.path / "model.safetensors", bytes);
  return safetensors::open(folder.path);
}

void check_corrupt(const std::string& header, const std::string& part_of_message) {
  CAPTURE(header);
  const auto opened = open_bytes(safetensors_file(header, good_data()));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::corrupt_data);
  CHECK_MESSAGE(opened.error().message.find(part_of_message) != std::string::npos, opened.error().message);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a good safetensors file opens with names, shapes and bytes") {
  const auto opened = open_bytes(safetensors_file(good_header() + "   ", good_data()));
  REQUIRE(opened);
  CHECK(opened->tensors().size() == 2);
  const auto* a = opened->find("a");
  REQUIRE(a != nullptr);
  CHECK(a->dtype == tensor_dtype::f32);
  CHECK(a->shape == std::vector<std::uint64_t>{2, 3});
  CHECK(a->data.size() == 24);
  CHECK(opened->find("b")->dtype == tensor_dtype::bf16);
  CHECK(opened->find("b")->data.data() == a->data.data() + 24);
  CHECK(opened->find("c") == nullptr);
  CHECK(opened->headers().size() == 1);
}

TEST_CASE("scalars and empty tensors are tensors") {
  const auto opened = open_bytes(
      safetensors_file(R"({"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]}})",
                       std::string(8, 'x')));
  REQUIRE(opened);
  CHECK(opened->find("s")->dtype == tensor_dtype::other);
  CHECK(opened->find("e")->data.empty());
}

TEST_CASE("a lying header is refused with what is wrong") {
  const auto good = good_header();
  check_corrupt(replaced(good, "[0,24]", "[0,25]"), "shape");
  check_corrupt(replaced(good, "[24,28]", "[20,24]"), "overlaps");
  check_corrupt(replaced(good, "[0,24]", "[24,0]"), "outside");
  check_corrupt(replaced(good, "[24,28]", "[26,30]"), "outside");
  check_corrupt(replaced(good, "[24,28]", "[18446744073709551612,18446744073709551615]"), "outside");
  check_corrupt(replaced(good, "[2,3]", "[4294967296,4294967296,4294967296]"), "larger than any memory");
  check_corrupt(replaced(good, "[2,3]", "[1,1,1,1,1,1,1,2,3]"), "dimensions");
  check_corrupt(replaced(good, "[2,3]", "[-2,-3]"), "negative");
  check_corrupt(replaced(good, "[2,3]", "[2.0,3]"), "no count");
  check_corrupt(replaced(good, "[0,24]", "[0,24,24]"), "more than two");
  check_corrupt(replaced(good, "[0,24]", "[24]"), "lacks");
  check_corrupt(replaced(good, "F32", "F33"), "unknown dtype");
  check_corrupt(replaced(good, "\"dtype\":\"F32\",", ""), "lacks");
  check_corrupt(replaced(good, "\"dtype\":\"F32\"", "\"dtype\":null"), "null");
  check_corrupt(replaced(good, "\"shape\":[2,3]", "\"shape\":[2,3],\"shape\":[2,3]"), "repeated");
  check_corrupt(replaced(good, "\"shape\":[2,3]", "\"shape\":[[2,3]]"), "list");
  check_corrupt(replaced(good, "\"b\"", "\"a\""), "twice");
  check_corrupt(replaced(good, "\"pt\"", "{}"), "object");
  check_corrupt(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", "end at byte 24 of 28");
  check_corrupt(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[24,28]}})", "hole");
  check_corrupt("[]", "begin with {");
  check_corrupt("", "begin with {");
  check_corrupt("{} {}", "JSON");
  check_corrupt(std::string(100000, '{'), "JSON");
}

TEST_CASE("a header length that cannot be is refused") {
  for (const std::uint64_t length : {std::uint64_t{29}, std::uint64_t{1} << 31, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    std::string bytes(36, ' ');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
    const auto opened = open_bytes(bytes);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::corrupt_data);
  }
}

TEST_CASE("a file truncated at any byte is corrupt") {
  const auto whole = safetensors_file(good_header(), good_data());
  const test::temporary_folder folder;
  const auto file = folder.path / "model.safetensors";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    test::write_file(file, whole.substr(0, size));
    const auto opened = safetensors::open_file(file);
    CAPTURE(size);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::corrupt_data);
    CHECK(opened.error().message.find(file.string()) != std::string::npos);
  }
}

TEST_CASE("flipped bits never make a tensor that lies outside of its file") {
  const auto whole = safetensors_file(good_header(), good_data());
  const test::temporary_folder folder;
  const auto file = folder.path / "model.safetensors";
  std::size_t opened_count = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    test::random_source random{seed};
    auto bytes = whole;
    for (auto flips = 1 + random.below(3); flips > 0; --flips) {
      bytes[random.below(bytes.size() - 28)] ^= static_cast<char>(1U << random.below(8));
    }
    test::write_file(file, bytes);
    const auto opened = safetensors::open_file(file);
    if (!opened) continue;
    CAPTURE(seed);
    ++opened_count;
    std::size_t total = 0;
    for (const auto& [name, tensor] : opened->tensors()) {
      total += tensor.data.size();
      if (tensor.data.empty()) continue;
      CHECK(tensor.data.front() == std::byte{1});
      CHECK(tensor.data.back() == std::byte{1});
    }
    CHECK(total == 28);
  }
  CHECK(opened_count > 0);  // names and metadata may change freely
  CHECK(opened_count < 500);
}

TEST_CASE("shards are found through their index") {
  const test::temporary_folder folder;
  test::write_file(folder.path / "one.safetensors", safetensors_file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "aaaa"));
  test::write_file(folder.path / "two.safetensors", safetensors_file(R"({"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", "bb"));
  const auto index = folder.path / "model.safetensors.index.json";
  const auto open_with = [&](const std::string& text) {
    test::write_file(index, text);
    return safetensors::open(folder.path);
  };
  const auto good = open_with(R"({"weight_map": {"b": "two.safetensors", "a": "one.safetensors"}})");
  REQUIRE(good);
  CHECK(good->find("a")->data.front() == std::byte{'a'});
  CHECK(good->find("b")->data.front() == std::byte{'b'});
  CHECK(good->headers().size() == 2);
  const auto code_of = [&](const std::string& text) {
    const auto opened = open_with(text);
    return opened ? errc::none : opened.error().code;
  };
  CHECK(code_of(R"({"weight_map": {"c": "two.safetensors"}})") == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": {"a": "../one.safetensors"}})") == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": {"a": "/etc/hostname"}})") == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": {"a": ".."}})") == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": {"a": 1}})") == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": []})") == errc::corrupt_data);
  CHECK(code_of(R"({})") == errc::corrupt_data);
  CHECK(code_of(std::string(1000, '[')) == errc::corrupt_data);
  CHECK(code_of(R"({"weight_map": {"a": "three.safetensors"}})") == errc::io_failed);
}

TEST_CASE("what is no file is refused by the operating system's reason") {
  const test::temporary_folder folder;
  const auto missing = safetensors::open(folder.path);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::io_failed);
  std::filesystem::create_directory(folder.path / "model.safetensors");
  const auto directory = safetensors::open(folder.path);
  REQUIRE_FALSE(directory);
  CHECK(directory.error().message.find("Is a directory") != std::string::npos);
}
