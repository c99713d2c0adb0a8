// What outlives the process, as it may be found again. Byte 0: which kind; then its bytes. Where a checksum guards what is read it is made
// right, so that the reader behind it is reached. What holds: nothing that is read crashes, what is opened twice is the same, and what is
// written over rubbish is found.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/store/block_record.hpp"
#include "engine/store/journal.hpp"
#include "engine/store/response_log.hpp"
#include "engine/store/segment_file.hpp"
#include "engine/store/text_seal.hpp"
#include "test/fuzz/fuzz_input.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace {

using namespace troupe;
using fuzz::demand;

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("troupe_fuzz_" + std::to_string(::getpid()));
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
};
const std::filesystem::path& work_folder() {
  static const folder made;
  return made.path;
}

std::span<const std::byte> bytes_of(std::string_view text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }
void write_file(const std::filesystem::path& file, std::string_view content) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

std::vector<std::string> read_journal(const std::filesystem::path& file, std::uint64_t& cut) {
  std::vector<std::string> records;
  const auto opened = store::journal::open(
      file, [&](std::span<const std::byte> bytes) { records.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size()); });
  if (!opened) {
    demand(!opened.error().message.empty(), "a failure has a message");
    return {"failed"};
  }
  cut = (*opened)->bytes_cut();
  return records;
}

void journal_file(std::string_view content) {
  const auto file = work_folder() / "journal";
  write_file(file, content);
  std::uint64_t cut = 0;
  const auto first = read_journal(file, cut);
  const auto second = read_journal(file, cut);
  demand(first == second && cut == 0, "a journal that was opened is whole");
}

/// Records of a u16 length each, in a journal that is whole.
void response_journal(fuzz::input_reader input) {
  const auto file = work_folder() / "responses";
  std::filesystem::remove(file);
  if (auto journal = store::journal::open(file, {}); journal) {
    while (!input.rest().empty()) {
      const auto low = input.byte();
      const auto record = input.take(low | input.byte() << 8U);
      demand(static_cast<bool>((*journal)->append(bytes_of(record))), "a record is appended");
    }
  }
  store::response_table table({64, 1 << 20, 1000});
  store::stored_response newest;
  newest.tenant = "default";
  newest.id = "resp_newest";
  newest.created_s = 1000;
  newest.input = "[]";
  newest.body = "{}";
  {
    auto log = store::response_log::open(file, table, 1000);
    demand(static_cast<bool>(log), "a journal of any records opens");
    const auto all = table.all();
    if (!all.empty() && all.back()->tenant == newest.tenant) newest.previous = all.back();
    demand(static_cast<bool>(log->add(newest)), "a response is added");
  }
  store::response_table again({64, 1 << 20, 1000});
  demand(static_cast<bool>(store::response_log::open(file, again, 1000)), "the journal opens again");
  const auto found = again.find("default", "resp_newest", 1000);
  demand(found && found->body == "{}" && !found->previous == !newest.previous, "what was added behind any records is found");
}

void sealed_text(fuzz::input_reader input) {
  static store::text_seal seal(store::block_cipher::key{7});
  const std::string bound(input.until('\n')), text(input.rest());
  demand(!seal.open(text, bound), "nobody can make what is sealed");
  auto sealed = seal.seal(text, bound);
  demand(seal.open(sealed, bound) == text, "what was sealed is opened");
  demand(!seal.open(sealed, bound + "x"), "it is bound to its owner");
}

/// One page of records that are none, then the input as a footer, with a trailer that is right.
void segment_footer(std::string_view footer) {
  constexpr std::uint64_t id = 3;
  constexpr std::size_t page = 4096;
  const auto header = store::make_segment_header(id, 1), sealed = store::make_segment_footer(id, page, {}, 0);
  std::string content(reinterpret_cast<const char*>(header.bytes().data()), page);
  content.append(footer).resize(page + (footer.size() + page - 1) / page * page);
  std::string trailer(reinterpret_cast<const char*>(sealed.bytes().data()) + sealed.bytes().size() - page, page);
  const std::uint64_t fields[] = {page, footer.size(), XXH3_64bits(footer.data(), footer.size())};
  std::memcpy(trailer.data() + 24, fields, sizeof fields);
  const auto hash = XXH3_64bits(trailer.data(), page - 8);
  std::memcpy(trailer.data() + page - 8, &hash, sizeof hash);
  write_file(store::segment_path(work_folder(), id), content + trailer);
  const auto read = store::read_segment(work_folder(), id, 0);
  demand(static_cast<bool>(read), "a segment is read");
  for (const auto& entry : read->entries)
    demand(entry.offset >= page && entry.offset + entry.record_bytes() <= read->bytes, "an entry lies within its segment");
}

/// Lengths in the first 12 bytes, then header and tokens.
void record_front(fuzz::input_reader input) {
  std::string lengths(input.take(4));
  lengths.resize(4);
  std::string front(store::record_prefix_bytes, '\0');
  const auto header_bytes = static_cast<std::uint32_t>(static_cast<unsigned char>(lengths[0]) * 8U);
  const auto token_bytes = static_cast<std::uint32_t>(static_cast<unsigned char>(lengths[1]) * 4U);
  const std::uint32_t numbers[] = {1, static_cast<unsigned char>(lengths[2]) & 1U, header_bytes, token_bytes};
  std::memcpy(front.data(), "troupebk", 8);
  std::memcpy(front.data() + 8, numbers, sizeof numbers);
  front[24] = lengths[3];
  std::string rest(input.take(header_bytes + token_bytes));
  rest.resize(header_bytes + token_bytes);
  front += rest;
  store::move_front(std::as_writable_bytes(std::span(front)), store::nowhere);
  const auto read = store::read_front(bytes_of(front), store::nowhere);
  if (!read) return;
  demand(read->bytes() == front.size(), "a front is as long as it says");
  demand(read->block.tokens.size() * sizeof(token_id) <= token_bytes, "a block has the tokens of its front");
  store::record_codec codec;
  std::string payload(read->payload_bytes % 256, '\0'), destination = payload;
  store::stored_retention retention;
  static_cast<void>(codec.open(bytes_of(front), store::nowhere, bytes_of(payload), read->block, std::as_writable_bytes(std::span(destination)),
                               retention));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input_reader input(data, size);
  switch (input.byte() % 5) {
    case 0: journal_file(input.rest()); break;
    case 1: response_journal(input); break;
    case 2: sealed_text(input); break;
    case 3: segment_footer(input.rest()); break;
    default: record_front(input); break;
  }
  return 0;
}
