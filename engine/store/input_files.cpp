// libarchive unpacks archives, liblzma and libzstd single streams: libarchive's own zstd filter refuses the windows that long-range
// compression makes, so a packed archive is unpacked first and then opened in memory.
#include "engine/store/input_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "engine/store/file_io.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

constexpr int window_bits_max = 31;
constexpr std::size_t piece_bytes = 1 << 20;

failure corrupt(const std::string& name, const std::string& why) { return {errc::corrupt_data, name + ": " + why, {}}; }
failure too_large(const std::string& name) {
  return {errc::invalid_request, name + " is larger than " + std::to_string(limits::input_file_bytes_max) + " bytes unpacked", {}};
}

expected<std::string> read_file(const std::filesystem::path& path) {
  std::error_code problem;
  const auto size = std::filesystem::file_size(path, problem);
  if (!problem && size > limits::input_file_bytes_max) return too_large(path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) return io_failure("open", path);
  std::string content;
  std::vector<char> piece(piece_bytes);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0) {
    content.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    if (content.size() > limits::input_file_bytes_max) return too_large(path.string());
  }
  if (file.bad()) return io_failure("read", path);
  return content;
}

expected<std::string> unpack_zstd(const std::string& name, std::string_view packed) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_bits_max);
  std::string content;
  std::vector<char> piece(piece_bytes);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::size_t left = 1;
  for (bool full = false; in.pos < in.size || full;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return corrupt(name, std::string("not a whole zstd file: ") + ZSTD_getErrorName(left));
    content.append(piece.data(), out.pos);
    if (content.size() > limits::input_file_bytes_max) return too_large(name);
    full = out.pos == out.size;
  }
  if (left != 0) return corrupt(name, "the zstd file ends too early");
  return content;
}

expected<std::string> unpack_xz(const std::string& name, std::string_view packed) {
  lzma_stream stream = LZMA_STREAM_INIT;
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> ending(&stream, &lzma_end);
  if (lzma_stream_decoder(&stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK) return failure{errc::internal, "liblzma does not start", {}};
  std::string content;
  std::vector<std::uint8_t> piece(piece_bytes);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  for (lzma_ret state = LZMA_OK; state != LZMA_STREAM_END;) {
    stream.next_out = piece.data();
    stream.avail_out = piece.size();
    state = lzma_code(&stream, LZMA_FINISH);
    if (state != LZMA_OK && state != LZMA_STREAM_END)
      return corrupt(name, "not a whole xz file (liblzma says " + std::to_string(state) + ")");
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size() - stream.avail_out);
    if (content.size() > limits::input_file_bytes_max) return too_large(name);
  }
  return content;
}

bool is_zstd(std::string_view content) { return content.starts_with("\x28\xb5\x2f\xfd"); }
bool is_xz(std::string_view content) {
  return content.starts_with(
      std::string_view("\xfd"
                       "7zXZ\0",
                       6));
}
/// POSIX and GNU archives say so at byte 257.
bool is_tar(std::string_view content) { return content.size() >= 512 && content.substr(257, 5) == "ustar"; }

struct named_content {
  std::string name, content;
};

expected<std::vector<named_content>> unpack_archive(const std::string& name, std::string_view content) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_memory(reader.get(), content.data(), content.size()) != ARCHIVE_OK)
    return corrupt(name, archive_error_string(reader.get()));
  std::vector<named_content> files;
  archive_entry* entry = nullptr;
  int state = ARCHIVE_OK;
  while ((state = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK || state == ARCHIVE_WARN) {
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    const char* inner = archive_entry_pathname(entry);
    auto& file = files.emplace_back();
    file.name = std::filesystem::path(inner ? inner : "").filename().string();
    file.content.resize(
        static_cast<std::size_t>(std::clamp<std::int64_t>(archive_entry_size(entry), 0, static_cast<std::int64_t>(content.size()))));
    const auto count = archive_read_data(reader.get(), file.content.data(), file.content.size());
    if (count != static_cast<la_ssize_t>(file.content.size())) return corrupt(name, "the archive ends within " + file.name);
  }
  if (state != ARCHIVE_EOF) return corrupt(name, archive_error_string(reader.get()));
  std::stable_sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

std::optional<failure> read_packed(const std::string& name, std::string content, const input_reader& read) {
  if (is_zstd(content) || is_xz(content)) {
    auto unpacked = is_zstd(content) ? unpack_zstd(name, content) : unpack_xz(name, content);
    if (!unpacked) return unpacked.error();
    content = std::move(*unpacked);
  }
  if (!is_tar(content)) return read(name, content);
  auto files = unpack_archive(name, content);
  if (!files) return files.error();
  std::string().swap(content);
  for (auto& file : *files)
    if (auto problem = read(file.name, file.content)) return problem;
  return std::nullopt;
}

}  // namespace

std::optional<failure> read_inputs(const std::filesystem::path& path, const input_reader& read) {
  std::error_code problem;
  std::vector<std::filesystem::path> files{path};
  if (std::filesystem::is_directory(path, problem)) {
    files.clear();
    for (std::filesystem::directory_iterator at(path, problem), end; !problem && at != end; at.increment(problem))
      if (at->is_regular_file(problem)) files.push_back(at->path());
    std::sort(files.begin(), files.end());
    if (problem) return failure{errc::io_failed, "cannot list " + path.string() + ": " + problem.message(), {}};
    if (files.empty()) return failure{errc::io_failed, path.string() + " holds no files", {}};
  }
  for (const auto& file : files) {
    auto content = read_file(file);
    if (!content) return content.error();
    if (auto bad = read_packed(files.size() > 1 ? file.filename().string() : file.string(), std::move(*content), read)) return bad;
  }
  return std::nullopt;
}

}  // namespace troupe::store
