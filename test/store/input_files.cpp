// Packed inputs, made here with the libraries' own writers and cut at every byte.
#include "engine/store/input_files.hpp"

#include <doctest/doctest.h>
#include <lzma.h>
#include <zstd.h>

#include <array>
#include <cstdio>
#include <vector>

#include "test/support/files.hpp"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

struct packed_folder : test::temporary_folder {
  fs::path write(const std::string& name, const std::string& content) const {
    test::write_file(path / name, content);
    return path / name;
  }
};

using files = std::vector<std::pair<std::string, std::string>>;

std::optional<failure> collect(const fs::path& path, files& into) {
  return store::read_inputs(path, [&](const std::string& name, std::string_view content) -> std::optional<failure> {
    into.emplace_back(fs::path(name).filename().string(), content);
    return std::nullopt;
  });
}

std::string zstd_of(const std::string& content) {
  std::string packed(ZSTD_compressBound(content.size()), '\0');
  const auto context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
  ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

std::string xz_of(const std::string& content) {
  std::string packed(lzma_stream_buffer_bound(content.size()), '\0');
  std::size_t size = 0;
  REQUIRE(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(content.data()), content.size(),
                                  reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()) == LZMA_OK);
  packed.resize(size);
  return packed;
}

/// One entry of a ustar archive.
std::string tar_entry(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { text.copy(header.data() + at, text.size()); };
  std::array<char, 12> size{};
  std::snprintf(size.data(), size.size(), "%011zo", content.size());
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size.data());
  put(136, "00000000000");
  header.replace(148, 8, 8, ' ');
  header[156] = '0';
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  std::array<char, 8> checksum{};
  std::snprintf(checksum.data(), checksum.size(), "%06o", sum);
  put(148, std::string(checksum.data(), 7) + " ");
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512, '\0');
  return header + padded;
}

std::string tar_of(const files& entries) {
  std::string archive;
  for (const auto& [name, content] : entries) archive += tar_entry(name, content);
  return archive + std::string(1024, '\0');
}

}  // namespace

TEST_CASE("a file is unpacked by what it holds, whatever it is called") {
  const packed_folder folder;
  const std::string content(3'000'000, 'x');
  for (const auto& packed : {content, zstd_of(content), xz_of(content)}) {
    files read;
    CHECK_FALSE(collect(folder.write("input", packed), read));
    REQUIRE(read.size() == 1);
    CHECK(read[0].second == content);
  }
}

TEST_CASE("folders and packed archives give their files by name") {
  const packed_folder folder;
  const files sorted{{"a.json", "1"}, {"b.json", std::string(700, '2')}};
  const std::string archive = tar_of({{"in/b.json", sorted[1].second}, {"in/a.json", "1"}});
  for (const auto& packed : {archive, zstd_of(archive), xz_of(archive)}) {
    files read;
    CHECK_FALSE(collect(folder.write("t", packed), read));
    CHECK(read == sorted);
  }
  fs::remove(folder.path / "t");
  folder.write("b.json", sorted[1].second);
  folder.write("a.json", "1");
  files read;
  CHECK_FALSE(collect(folder.path, read));
  CHECK(read == sorted);
}

TEST_CASE("a torn file is refused at every cut") {
  const packed_folder folder;
  const std::string content = "some text, some text, some text";
  for (const auto& packed : {zstd_of(content), xz_of(content)}) {
    for (std::size_t size = 6; size < packed.size(); ++size) {
      CAPTURE(size);
      files read;
      const auto problem = collect(folder.write("cut", packed.substr(0, size)), read);
      REQUIRE(problem);
      CHECK(problem->code == errc::corrupt_data);
    }
  }
  const std::string archive = tar_of({{"a", std::string(2000, 'a')}});
  files read;
  const auto problem = collect(folder.write("cut", archive.substr(0, 1200)), read);
  REQUIRE(problem);
  CHECK(problem->code == errc::corrupt_data);
}

TEST_CASE("what is missing or empty is said") {
  const packed_folder folder;
  files read;
  CHECK(collect(folder.path / "none", read)->code == errc::io_failed);
  CHECK(collect(folder.path, read)->code == errc::io_failed);
}

TEST_CASE("a reader's own failure ends the reading") {
  const packed_folder folder;
  folder.write("a", "1");
  folder.write("b", "2");
  int count = 0;
  const auto problem = store::read_inputs(folder.path, [&](const std::string&, std::string_view) {
    ++count;
    return std::optional<failure>{failure{errc::corrupt_data, "no", {}}};
  });
  CHECK(problem->message == "no");
  CHECK(count == 1);
}
