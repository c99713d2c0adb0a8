#include "engine/store/disk_store.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/store/disk_store_state.hpp"
#include "engine/store/segment_file.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

bool is_page_aligned(std::span<const std::byte> memory) {
  return reinterpret_cast<std::uintptr_t>(memory.data()) % page_bytes == 0 && memory.size() % page_bytes == 0;
}

unix_ms clipped_expiry(const disk_store_options& options, unix_ms now, unix_ms expires) {
  if (options.ttl_ms == 0) return expires;
  return expires == 0 ? now + options.ttl_ms : std::min(expires, now + options.ttl_ms);
}

bool is_same_block(const disk_entry& entry, const stored_block& block) {
  return entry.block == block.block && entry.parent == block.parent && entry.scope == block.scope &&
         (entry.check == 0 || entry.check == identity_check(block));
}

iovec as_iovec(std::span<std::byte> bytes) { return {bytes.data(), bytes.size()}; }

core::block_event stored_event(const disk_entry& entry) { return {core::block_event::kind::stored, entry.block, entry.parent}; }

}  // namespace

disk_store::state::descriptor::~descriptor() { ::close(value); }

store_result disk_store::state::put(unix_ms now, const stored_block& block, std::span<const std::byte> payload, store_ticket ticket) {
  if (payload.empty() || payload.size() > limits::stored_payload_bytes_max || block.tokens.size() > limits::stored_tokens_max)
    return store_result::too_large;
  operation begun{operation::kind::put, ticket};
  begun.entry = {block.block, block.parent, block.layout, block.scope, block.retention, identity_check(block)};
  auto& entry = begun.entry;
  entry.retention.expires = clipped_expiry(options, now, block.retention.expires);
  if (entry.retention.expires != 0) entry.retention.expires = std::max(entry.retention.expires, pins.until(block.block.hash));
  if (entry.retention.expires != 0 && entry.retention.expires <= now) return store_result::expired;
  entry.front_bytes = static_cast<std::uint32_t>(record_codec::front_bytes(block));
  entry.payload_bytes = static_cast<std::uint32_t>(payload.size());
  if (const auto slot = index.find(block.block.hash, block.layout); slot != disk_index::none) {
    if (is_same_block(index.at(slot), block) && index.at(slot).payload_bytes == payload.size()) {
      index.refresh(slot, entry.retention);
      ++counts.present;
      return store_result::present;
    }
    discard(slot, removal_cause::dropped);  // another block by the same name: the newer one is the one that is asked for
  }
  if (is_being_written(entry)) return ++counts.present, store_result::present;
  if (in_flight >= options.operations_max) return ++counts.refused_busy, store_result::busy;
  if (!rate.take(now, entry.record_bytes())) return ++counts.refused_rate, store_result::rate_limited;
  if (const auto room = make_room(now, entry.record_bytes()); room != store_result::pending) {
    rate.give_back(entry.record_bytes());
    if (room == store_result::failed) ++counts.failed;
    if (room == store_result::busy) ++counts.refused_busy;
    return room;
  }
  begun.file = reserve(entry);
  begin_put(std::move(begun), block, payload);
  return store_result::pending;
}

void disk_store::state::begin_put(operation&& begun, const stored_block& block, std::span<const std::byte> payload) {
  const auto& entry = begun.entry;
  auto stored = block;
  stored.retention = entry.retention;
  const bool is_copied = codec.encrypts() || !is_page_aligned(payload);
  if (is_copied) begun.payload = buffers.take(payload.size());
  const auto copy = begun.payload.bytes().first(is_copied ? payload.size() : 0);
  const auto front = codec.seal(stored, payload, copy, place_in(entry.segment, entry.offset));
  if (is_copied && !codec.encrypts()) std::memcpy(copy.data(), payload.data(), payload.size());
  if (is_copied) std::memset(copy.data() + copy.size(), 0, whole_pages(copy.size()) - copy.size());
  begun.front = buffers.take(front.size());
  std::memset(begun.front.bytes().data(), 0, whole_pages(front.size()));
  std::memcpy(begun.front.bytes().data(), front.data(), front.size());
  // Written from, never to: iovec has no const.
  const std::span unchanged(const_cast<std::byte*>(payload.data()), payload.size());
  const auto written = is_copied ? begun.payload.bytes().first(whole_pages(payload.size())) : unchanged;
  ++in_flight;
  begin_operation(std::move(begun), io_operation::kind::write, written);
}

store_result disk_store::state::get(unix_ms now, const stored_block& wanted, std::span<std::byte> destination, store_ticket ticket) {
  const auto slot = index.find(wanted.block.hash, wanted.layout);
  if (slot == disk_index::none && !index.has(wanted.block.hash)) return ++counts.missing, store_result::missing;
  if (slot == disk_index::none) return ++counts.mismatched, store_result::mismatched;
  const auto& entry = index.at(slot);
  if (entry.retention.expires != 0 && entry.retention.expires <= now) {
    discard(slot, removal_cause::ttl);
    return ++counts.missing, store_result::missing;
  }
  if (!is_same_block(entry, wanted) || entry.payload_bytes != destination.size()) return ++counts.mismatched, store_result::mismatched;
  if (in_flight >= options.operations_max) return ++counts.refused_busy, store_result::busy;
  operation begun{operation::kind::get, ticket, entry};
  begun.file = descriptor_of(entry.segment);
  if (!begun.file) {
    if (errno == ENOENT) remove_segment(entry.segment, removal_cause::corrupt);  // somebody took the file away
    count_error();
    return ++counts.failed, store_result::failed;
  }
  begun.wanted = wanted;
  begun.destination = destination;
  begun.front = buffers.take(entry.front_bytes);
  auto into = destination;
  if (!is_page_aligned(destination)) {
    begun.payload = buffers.take(destination.size());
    into = begun.payload.bytes().first(whole_pages(destination.size()));
  }
  index.mark_used(slot);
  ++in_flight;
  begin_operation(std::move(begun), io_operation::kind::read, into);
  return store_result::pending;
}

std::size_t disk_store::state::drop(std::span<const block_hash> hashes) {
  std::size_t dropped = 0;
  std::map<std::uint64_t, std::vector<std::uint64_t>> dead;
  for (const auto& hash : hashes) {
    if (pins.until(hash) != 0) continue;  // another owner wishes it kept
    for (const auto slot : index.of_hash(hash)) {
      dead[index.at(slot).segment].push_back(index.at(slot).offset);
      remove(slot, removal_cause::dropped);
      ++dropped;
    }
    for (auto& running : operations) {
      if (running.what != operation::kind::put || running.entry.block.hash != hash || running.dropped) continue;
      running.dropped = true;
      ++dropped;
    }
  }
  for (const auto& [segment, offsets] : dead) {
    remove_if_empty(segment);
    if (segments.contains(segment)) note_dead(segment, offsets);
  }
  return dropped;
}

void disk_store::state::advance(unix_ms now, std::chrono::milliseconds longest, std::vector<store_completion>* completions) {
  done.clear();
  io->reap(done, longest);
  for (const auto& each : done) complete(each, completions);
  pins.expire(now);
  settle_pins();
  for (auto slot = index.expired(now); slot != disk_index::none; slot = index.expired(now)) discard(slot, removal_cause::ttl);
  reclaim(now);
}

bool disk_store::state::is_being_written(const disk_entry& entry) const {
  return std::any_of(operations.begin(), operations.end(), [&](const operation& running) {
    return running.what == operation::kind::put && !running.dropped && running.entry.block.hash == entry.block.hash &&
           running.entry.layout == entry.layout;
  });
}

void disk_store::state::begin_operation(operation&& begun, io_operation::kind what, std::span<std::byte> payload) {
  const auto id = operations_free.back();  // never empty: puts, gets and carries are counted
  operations_free.pop_back();
  operations[id] = std::move(begun);
  const auto& running = operations[id];
  const auto front = running.front.bytes().first(whole_pages(running.entry.front_bytes));
  io->submit({what, running.file->value, running.entry.offset, {as_iovec(front), as_iovec(payload)}, id});
}

void disk_store::state::remove(disk_index::slot slot, removal_cause cause) {
  const auto entry = index.remove(slot);
  ++counts.removed[static_cast<std::size_t>(cause)];
  events.push_back({{core::block_event::kind::removed, entry.block, {}}, entry.layout, cause});
}

void disk_store::state::discard(disk_index::slot slot, removal_cause cause) {
  const auto segment = index.at(slot).segment, offset = index.at(slot).offset;
  remove(slot, cause);
  remove_if_empty(segment);
  const bool is_found_again = segments.contains(segment) && cause != removal_cause::ttl;  // the record itself says when it expires
  if (is_found_again) note_dead(segment, {&offset, 1});
}

void disk_store::state::announce_stored(const disk_entry& entry) {
  events.push_back({stored_event(entry), entry.layout, removal_cause::none});
}

void disk_store::state::note_dead(std::uint64_t segment, std::span<const std::uint64_t> offsets) {
  if (!append_dead(options.folder, segment, offsets)) count_error();
}

disk_store::disk_store(std::unique_ptr<state> state) : state_(std::move(state)) {}
disk_store::~disk_store() = default;

store_result disk_store::put(unix_ms now, const stored_block& block, std::span<const std::byte> payload, store_ticket ticket) {
  return state_->put(now, block, payload, ticket);
}
store_result disk_store::get(unix_ms now, const stored_block& wanted, std::span<std::byte> destination, store_ticket ticket) {
  return state_->get(now, wanted, destination, ticket);
}
bool disk_store::holds(const block_hash& hash, layout_id layout) const { return state_->index.find(hash, layout) != disk_index::none; }
bool disk_store::retain(unix_ms now, const block_hash& hash, layout_id layout, stored_retention retention) {
  const auto slot = state_->index.find(hash, layout);
  if (slot == disk_index::none) return false;
  retention.expires = clipped_expiry(state_->options, now, retention.expires);
  state_->index.refresh(slot, retention);
  return true;
}
void disk_store::apply(unix_ms now, const stored_intent& intent) {
  state_->counts.clipped += state_->pins.apply(intent);
  state_->pins.expire(now);
  state_->settle_pins();
}
void disk_store::release(owner_id owner) {
  state_->pins.release(owner);
  state_->settle_pins();
}
std::size_t disk_store::drop(std::span<const block_hash> hashes) { return state_->drop(hashes); }
void disk_store::poll(unix_ms now, std::vector<store_completion>& completions) {
  state_->advance(now, std::chrono::milliseconds(0), &completions);
}
void disk_store::wait(unix_ms now, std::chrono::milliseconds longest, std::vector<store_completion>& completions) {
  state_->advance(now, longest, &completions);
}
bool disk_store::is_carrying() const { return state_->carries > 0; }
const disk_store_opening& disk_store::opening() const { return state_->opening; }
std::vector<disk_event> disk_store::take_events() { return std::exchange(state_->events, {}); }
std::optional<std::string> disk_store::check_integrity() const { return state_->check_integrity(); }

disk_store_counts disk_store::counts() const {
  auto counts = state_->counts;
  counts.blocks = state_->index.size();
  counts.by_role = state_->index.by_role();
  counts.segments = state_->segments.size();
  counts.in_flight = state_->in_flight;
  counts.bytes_live = state_->index.bytes();
  counts.bytes_used = state_->bytes_used;
  counts.pinned = state_->index.pinned_blocks();
  return counts;
}

std::vector<disk_event> disk_store::snapshot() const {
  std::vector<disk_event> blocks;
  for (const auto slot : state_->index.all()) {
    const auto& entry = state_->index.at(slot);
    blocks.push_back({stored_event(entry), entry.layout, removal_cause::none});
  }
  return blocks;
}

}  // namespace troupe::store
