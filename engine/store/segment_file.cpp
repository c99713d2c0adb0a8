#include "engine/store/segment_file.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <kj/exception.h>
#include <kj/io.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <unordered_set>

#include "engine/store/file_io.hpp"
#include "engine/store/segment_scan.hpp"
#include "messages/base/limits.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::store {
namespace {

constexpr std::uint32_t version = 1;
constexpr std::size_t at_version = 8, at_id = 16, at_created = 24, at_footer = 24, at_footer_bytes = 32, at_footer_hash = 40,
                      at_page_hash = page_bytes - 8;
constexpr char header_magic[] = "troupesg", trailer_magic[] = "troupeft";
constexpr std::size_t dead_entry_bytes = 16;
/// 16 words per entry in a Cap'n Proto list (its struct, its header's struct and pointers take 15), and the message's frame.
constexpr std::uint64_t footer_entry_bytes = 128, footer_frame_bytes = 256;

std::uint64_t number_at(std::span<const std::byte> page, std::size_t at) {
  std::uint64_t number;
  std::memcpy(&number, page.data() + at, sizeof number);
  return number;
}

void put_number(std::span<std::byte> page, std::size_t at, std::uint64_t number) { std::memcpy(page.data() + at, &number, sizeof number); }

void begin_page(std::span<std::byte> page, const char* magic, std::uint64_t id) {
  std::memset(page.data(), 0, page_bytes);
  std::memcpy(page.data(), magic, 8);
  put_number(page, at_version, version);
  put_number(page, at_id, id);
}

void end_page(std::span<std::byte> page) { put_number(page, at_page_hash, XXH3_64bits(page.data(), at_page_hash)); }

bool is_page(std::span<const std::byte> page, const char* magic) {
  return std::memcmp(page.data(), magic, 8) == 0 && number_at(page, at_page_hash) == XXH3_64bits(page.data(), at_page_hash);
}

std::uint64_t dead_check(std::uint64_t id, std::uint64_t offset) { return place_in(id, offset).value; }

std::filesystem::path numbered(const std::filesystem::path& folder, std::uint64_t id, const char* ending) {
  char name[40];
  std::snprintf(name, sizeof name, "%016llx.%s", static_cast<unsigned long long>(id), ending);
  return folder / name;
}

bool is_possible(const disk_entry& entry, std::uint64_t footer) {
  return entry.offset >= page_bytes && entry.offset % page_bytes == 0 && entry.front_bytes >= record_prefix_bytes &&
         entry.front_bytes <= record_front_bytes_max && entry.payload_bytes > 0 &&
         entry.payload_bytes <= limits::stored_payload_bytes_max && entry.offset <= footer && entry.record_bytes() <= footer - entry.offset;
}

/// False when the footer is not what a trailer may describe.
bool decode_footer(std::span<const std::byte> bytes, std::uint64_t id, std::uint64_t key_id, segment_content& content) {
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.begin(), bytes.data(), words.size() * sizeof(capnp::word));
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size() + 64;
    options.nestingLimit = 8;
    capnp::FlatArrayMessageReader message(words, options);
    const auto segment = message.getRoot<schema::StoredSegment>();
    if (segment.getSegment() != id) return false;
    for (const auto listed : segment.getEntries()) {
      stored_block block;
      const auto listed_key = read_header(listed.getHeader(), block);
      const disk_entry entry{block.block,
                             block.parent,
                             block.layout,
                             block.scope,
                             block.retention,
                             listed.getCheck(),
                             id,
                             listed.getOffset(),
                             listed.getFrontBytes(),
                             listed.getPayloadBytes()};
      if (!is_possible(entry, content.end)) return false;
      if (listed_key == key_id)
        content.entries.push_back(entry);
      else
        ++content.other_key;
    }
    return true;
  } catch (const kj::Exception&) {
    return false;
  }
}

/// Fills `content` from the footer; false when there is no intact one.
bool read_footer(int descriptor, std::uint64_t id, std::uint64_t key_id, segment_content& content) {
  aligned_buffer page(page_bytes);
  if (content.bytes < 3 * page_bytes || content.bytes % page_bytes != 0) return false;
  const auto trailer = content.bytes - page_bytes;
  if (read_at(descriptor, trailer, page.bytes()) != page_bytes || !is_trailer(page.bytes(), id)) return false;
  const auto offset = number_at(page.bytes(), at_footer), bytes = number_at(page.bytes(), at_footer_bytes);
  const auto hash = number_at(page.bytes(), at_footer_hash);
  if (offset < page_bytes || offset % page_bytes != 0 || offset > trailer || bytes > trailer - offset) return false;
  std::vector<std::byte> footer(bytes);
  if (read_at(descriptor, offset, footer) != static_cast<std::int64_t>(bytes) || XXH3_64bits(footer.data(), footer.size()) != hash)
    return false;
  content.end = offset;
  return decode_footer(footer, id, key_id, content);
}

std::unordered_set<std::uint64_t> read_dead(const std::filesystem::path& folder, std::uint64_t id) {
  std::unordered_set<std::uint64_t> dead;
  const open_file file{::open(dead_path(folder, id).c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) return dead;
  std::vector<std::byte> chunk(dead_entry_bytes * 4096);
  for (std::uint64_t at = 0;; at += chunk.size()) {
    const auto count = read_at(file.descriptor, at, chunk);
    for (std::int64_t i = 0; i + static_cast<std::int64_t>(dead_entry_bytes) <= count; i += dead_entry_bytes) {
      const auto entry = std::span(chunk).subspan(static_cast<std::size_t>(i), dead_entry_bytes);
      const auto offset = number_at(entry, 0);
      if (number_at(entry, 8) == dead_check(id, offset)) dead.insert(offset);
    }
    if (count < static_cast<std::int64_t>(chunk.size())) break;
  }
  return dead;
}

}  // namespace

std::filesystem::path segment_path(const std::filesystem::path& folder, std::uint64_t id) { return numbered(folder, id, "blocks"); }
std::filesystem::path dead_path(const std::filesystem::path& folder, std::uint64_t id) { return numbered(folder, id, "dead"); }

std::uint64_t segment_id_of(const std::filesystem::path& file) {
  const auto name = file.filename().string();
  if (name.size() != 16 + 7 || name.substr(16) != ".blocks") return 0;
  if (name.find_first_not_of("0123456789abcdef") != 16) return 0;
  return std::stoull(name.substr(0, 16), nullptr, 16);
}

record_place place_in(std::uint64_t segment, std::uint64_t offset) {
  const std::array<std::uint64_t, 2> place{segment, offset};
  return {XXH3_64bits(place.data(), sizeof place)};
}

bool is_trailer(std::span<const std::byte> page, std::uint64_t id) {
  return is_page(page, trailer_magic) && number_at(page, at_version) == version && number_at(page, at_id) == id;
}

aligned_buffer make_segment_header(std::uint64_t id, unix_ms now) {
  aligned_buffer page(page_bytes);
  begin_page(page.bytes(), header_magic, id);
  put_number(page.bytes(), at_created, static_cast<std::uint64_t>(now));
  end_page(page.bytes());
  return page;
}

std::uint64_t segment_footer_bytes_max(std::size_t entries) {
  return whole_pages(footer_frame_bytes + entries * footer_entry_bytes) + page_bytes;
}

aligned_buffer make_segment_footer(std::uint64_t id, std::uint64_t end, std::span<const disk_entry> entries, std::uint64_t key_id) {
  capnp::MallocMessageBuilder message(static_cast<unsigned>(segment_footer_bytes_max(entries.size()) / sizeof(capnp::word)));
  auto segment = message.initRoot<schema::StoredSegment>();
  segment.setSegment(id);
  auto list = segment.initEntries(static_cast<unsigned>(entries.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    const auto& entry = entries[i];
    write_header(list[i].initHeader(), {entry.block, entry.parent, entry.layout, entry.scope, {}, entry.retention}, key_id);
    list[i].setCheck(key_id == 0 ? entry.check : 0);  // it would confirm a guess at encrypted tokens
    list[i].setOffset(entry.offset);
    list[i].setFrontBytes(entry.front_bytes);
    list[i].setPayloadBytes(entry.payload_bytes);
  }
  const auto bytes = capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word);
  aligned_buffer buffer(whole_pages(bytes) + page_bytes);
  const auto all = buffer.bytes();
  std::memset(all.data(), 0, all.size());
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(all.data()), bytes));
  capnp::writeMessage(out, message);
  const auto trailer = all.last(page_bytes);
  begin_page(trailer, trailer_magic, id);
  put_number(trailer, at_footer, end);
  put_number(trailer, at_footer_bytes, bytes);
  put_number(trailer, at_footer_hash, XXH3_64bits(all.data(), bytes));
  end_page(trailer);
  return buffer;
}

expected<segment_content> read_segment(const std::filesystem::path& folder, std::uint64_t id, std::uint64_t key_id) {
  const auto path = segment_path(folder, id);
  const open_file file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) return io_failure("open", path);
  struct stat status {};
  if (::fstat(file.descriptor, &status) != 0) return io_failure("examine", path);
  segment_content content;
  content.bytes = static_cast<std::uint64_t>(status.st_size);
  aligned_buffer page(page_bytes);
  if (const auto count = read_at(file.descriptor, 0, page.bytes()); count < 0) return io_failure("read", path);
  // A damaged header loses nothing: the id is in the file's name and in every record's checksum.
  if (content.bytes >= page_bytes && is_page(page.bytes(), header_magic) && number_at(page.bytes(), at_version) != version) {
    content.is_foreign_version = true;
    return content;
  }
  content.was_sealed = read_footer(file.descriptor, id, key_id, content);
  if (!content.was_sealed) {
    content.entries.clear();
    content.other_key = 0;
    if (!scan_segment(file.descriptor, id, key_id, content)) return io_failure("read", path);
  }
  const auto dead = read_dead(folder, id);
  content.dropped = std::erase_if(content.entries, [&dead](const disk_entry& entry) { return dead.contains(entry.offset); });
  return content;
}

bool append_dead(const std::filesystem::path& folder, std::uint64_t id, std::span<const std::uint64_t> offsets) {
  std::vector<std::byte> bytes(offsets.size() * dead_entry_bytes);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    put_number(bytes, i * dead_entry_bytes, offsets[i]);
    put_number(bytes, i * dead_entry_bytes + 8, dead_check(id, offsets[i]));
  }
  const open_file file{::open(dead_path(folder, id).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  struct stat status {};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0) return false;
  // A piece that a full disk left is overwritten.
  const auto size = static_cast<std::uint64_t>(status.st_size);
  return write_at(file.descriptor, size - size % dead_entry_bytes, bytes);
}

}  // namespace troupe::store
