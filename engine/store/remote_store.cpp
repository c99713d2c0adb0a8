#include "engine/store/remote_store.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "engine/store/block_record.hpp"
#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

using fault = redis_connection::fault;
using kind = redis_reply::kind;

constexpr unix_ms end_wavers_ms = 1000;
/// A status, an integer or an error is shorter than this.
constexpr std::size_t short_reply_bytes_max = 4096;

block_key key_for(const stored_block& block) { return {block.block.hash, block.layout, block.scope}; }

bool is_too_large(const remote_put& put) {
  return put.payload.empty() || put.payload.size() > limits::stored_payload_bytes_max ||
         put.block->tokens.size() > limits::stored_tokens_max;
}

}  // namespace

struct remote_store::state {
  explicit state(const remote_store_options& wanted) : options(wanted), codec(wanted.cipher), breaker(wanted.breaker) {}

  remote_store_options options;
  record_codec codec;
  circuit_breaker breaker;
  redis_connection connection;
  remote_store_counts counts;
  stored_pins pins;
  std::unordered_map<block_hash, unix_ms> extended;  ///< pinned blocks whose keys have been told this end
  bool compares_ends = true;                         ///< Redis knows PEXPIRE with GT, as far as it has not said otherwise

  [[nodiscard]] redis_connection::deadline deadline() const {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(options.call_wait_ms);
  }

  /// Counts a fault; whether there was none.
  bool tell(unix_ms now, fault what) {
    counts.faults_gone += what == fault::gone;
    counts.faults_late += what == fault::late;
    counts.faults_lying += what == fault::lying;
    if (what != fault::none) breaker.failed(now);
    return what == fault::none;
  }

  /// Whether a batch may be sent; connects if needed.
  bool is_ready(unix_ms now, redis_connection::deadline until) {
    if (!breaker.admits(now)) return false;
    if (connection.is_usable()) return true;
    if (!tell(now, connection.connect(options.address, until))) return false;
    ++counts.connections;
    return true;
  }

  /// Runs a batch of commands. A batch of which every command is answered by an error is a failure too.
  bool run(unix_ms now, const redis_commands& commands, std::size_t reply_bytes_max, redis_connection::deadline until,
           const std::function<bool(std::size_t, redis_reply&&)>& take) {
    std::size_t errors = 0;
    const auto counting = [&](std::size_t at, redis_reply&& reply) {
      errors += reply.what == kind::error;
      return take(at, std::move(reply));
    };
    const auto failed = connection.run(commands, reply_bytes_max, until, counting);
    counts.error_replies += errors;
    if (!tell(now, failed)) return false;
    if (errors == commands.count())
      breaker.failed(now);
    else
      breaker.succeeded();
    return true;
  }

  [[nodiscard]] std::string key_of(const block_key& key) const {
    char text[80];
    std::snprintf(text, sizeof text, "%016llx:%016llx:%016llx%016llx", static_cast<unsigned long long>(key.scope.value),
                  static_cast<unsigned long long>(key.layout.value), static_cast<unsigned long long>(key.hash.high),
                  static_cast<unsigned long long>(key.hash.low));
    return options.key_prefix + text;
  }

  [[nodiscard]] std::int64_t ttl_of(unix_ms now, const stored_block& block) const {
    const auto expires = block.retention.expires;
    const auto own = expires == 0 ? options.ttl_ms : std::min(options.ttl_ms, expires - now);
    return std::max(own, pins.until(block.block.hash) - now);
  }

  /// The block as it is stored: a record must not expire before its key.
  [[nodiscard]] stored_block with_pin(const stored_block& block) const {
    auto kept = block;
    if (kept.retention.expires != 0) kept.retention.expires = std::max(kept.retention.expires, pins.until(block.block.hash));
    return kept;
  }

  /// Blocks whose pins end later than their keys have been told. An end that is said again each turn wavers by the time a message takes.
  std::vector<block_hash> take_longer() {
    std::vector<block_hash> longer;
    std::unordered_set<block_hash> seen;  // an intent that is said again ends each pin and begins it anew
    for (const auto& hash : pins.take_changes()) {
      if (!seen.insert(hash).second) continue;
      const auto until = pins.until(hash);
      if (until == 0)
        extended.erase(hash);
      else if (const auto told = extended.find(hash); told == extended.end() || until > told->second + end_wavers_ms)
        longer.push_back(hash);
    }
    return longer;
  }

  /// Whether there is any use in going on.
  bool extend(unix_ms now, std::span<const block_hash> hashes, layout_id layout, scope_id scope, redis_connection::deadline until) {
    redis_commands commands;
    for (const auto& hash : hashes)
      commands.add({"PEXPIRE", key_of({hash, layout, scope}), std::to_string(pins.until(hash) - now), "GT"});
    return run(now, commands, short_reply_bytes_max, until, [&](std::size_t at, redis_reply&& reply) {
      counts.extended += reply.what == kind::integer && reply.integer == 1;
      if (reply.what == kind::integer) extended.insert_or_assign(hashes[at], pins.until(hashes[at]));
      const std::string_view says(reinterpret_cast<const char*>(reply.bytes.data()), reply.bytes.size());
      if (reply.what == kind::error && says.starts_with("ERR ")) compares_ends = false;
      return reply.what == kind::integer || reply.what == kind::error;
    }) && compares_ends;
  }

  /// Puts blocks[from, result) as one window; their results are filled in.
  std::size_t put_window(unix_ms now, std::span<const remote_put> blocks, std::size_t from, redis_connection::deadline until,
                         std::vector<store_result>& results, bool& is_alive) {
    redis_commands commands;
    std::vector<std::size_t> sent;
    std::deque<std::vector<std::byte>> encrypted;
    std::uint64_t bytes = 0;
    auto at = from;
    for (; at < blocks.size() && (bytes == 0 || bytes + blocks[at].payload.size() <= options.window_bytes); ++at) {
      const auto& [block, payload] = blocks[at];
      const auto ttl_ms = ttl_of(now, *block);
      if (is_too_large(blocks[at]) || ttl_ms <= 0) {
        results[at] = ttl_ms <= 0 ? store_result::expired : store_result::too_large;
        continue;
      }
      auto& copy = encrypted.emplace_back(codec.encrypts() ? payload.size() : 0);
      auto front = codec.seal(with_pin(*block), payload, copy, nowhere);
      bytes += front.size() + payload.size();
      commands.add_set(key_of(key_for(*block)), std::move(front), codec.encrypts() ? std::span<const std::byte>(copy) : payload, ttl_ms);
      sent.push_back(at);
    }
    if (sent.empty()) return at;
    counts.bytes_sent += bytes;
    is_alive = run(now, commands, short_reply_bytes_max, until, [&](std::size_t index, redis_reply&& reply) {
      if (reply.what == kind::status) results[sent[index]] = store_result::stored;
      return reply.what == kind::status || reply.what == kind::error;
    });
    return at;
  }

  /// What a value that Redis returned is worth.
  remote_loaded open(unix_ms now, const remote_get& get, const redis_reply& reply) {
    if (reply.what == kind::nil) return {store_result::missing, {}};
    if (reply.what == kind::error) return {store_result::failed, {}};
    const std::span bytes(reply.bytes);
    const auto front_bytes = front_length(bytes);
    if (!front_bytes || *front_bytes > bytes.size()) return {store_result::corrupt, {}};
    remote_loaded loaded;
    loaded.result =
        codec.open(bytes.first(*front_bytes), nowhere, bytes.subspan(*front_bytes), *get.wanted, get.destination, loaded.retention);
    if (loaded.result != store_result::loaded) return {loaded.result, {}};
    // The ttl in Redis runs on another clock than ours.
    if (loaded.retention.expires != 0 && loaded.retention.expires <= now) return {store_result::missing, {}};
    counts.bytes_loaded += bytes.size();
    return loaded;
  }

  std::size_t drop(unix_ms now, std::span<const block_key> keys, redis_connection::deadline until) {
    redis_commands commands;
    for (const auto& key : keys) commands.add({"UNLINK", key_of(key)});
    std::size_t dropped = 0;
    run(now, commands, short_reply_bytes_max, until, [&dropped](std::size_t, redis_reply&& reply) {
      dropped += reply.what == kind::integer && reply.integer == 1;
      return reply.what == kind::integer || reply.what == kind::error;
    });
    return dropped;
  }
};

remote_store::remote_store(const remote_store_options& options) : state_(std::make_unique<state>(options)) {}
remote_store::~remote_store() = default;

std::vector<store_result> remote_store::put(unix_ms now, std::span<const remote_put> blocks) {
  std::vector<store_result> results(blocks.size(), store_result::busy);
  blocks = blocks.first(std::min(blocks.size(), limits::remote_batch_max));
  if (blocks.empty()) return results;
  const auto until = state_->deadline();
  bool is_alive = state_->is_ready(now, until);
  std::fill_n(results.begin(), blocks.size(), is_alive ? store_result::failed : store_result::unavailable);
  for (std::size_t at = 0; at < blocks.size() && is_alive;) at = state_->put_window(now, blocks, at, until, results, is_alive);
  for (const auto result : results) {
    state_->counts.stored += result == store_result::stored;
    state_->counts.failed += result == store_result::failed;
    state_->counts.unavailable += result == store_result::unavailable;
  }
  return results;
}

std::vector<remote_loaded> remote_store::get(unix_ms now, std::span<const remote_get> blocks) {
  std::vector<remote_loaded> results(blocks.size(), {store_result::busy, {}});
  blocks = blocks.first(std::min(blocks.size(), limits::remote_batch_max));
  if (blocks.empty()) return results;
  const auto until = state_->deadline();
  const bool is_ready = state_->is_ready(now, until);
  std::fill_n(results.begin(), blocks.size(), remote_loaded{is_ready ? store_result::failed : store_result::unavailable, {}});
  std::vector<block_key> corrupt;
  if (is_ready) {
    redis_commands commands;
    std::size_t bytes_max = 0;
    for (const auto& [wanted, destination] : blocks) {
      commands.add({"GET", state_->key_of(key_for(*wanted))});
      bytes_max = std::max(bytes_max, destination.size() + record_front_bytes_max);
    }
    state_->run(now, commands, bytes_max, until, [&](std::size_t at, redis_reply&& reply) {
      if (reply.what == kind::integer || reply.what == kind::status) return false;
      results[at] = state_->open(now, blocks[at], reply);
      if (results[at].result == store_result::corrupt) corrupt.push_back(key_for(*blocks[at].wanted));
      return true;
    });
  }
  if (!corrupt.empty() && state_->connection.is_usable()) state_->drop(now, corrupt, until);
  for (const auto& [result, retention] : results) {
    auto& counts = state_->counts;
    counts.loaded += result == store_result::loaded;
    counts.missing += result == store_result::missing;
    counts.mismatched += result == store_result::mismatched;
    counts.corrupt += result == store_result::corrupt;
    counts.failed += result == store_result::failed;
    counts.unavailable += result == store_result::unavailable;
  }
  return results;
}

std::vector<bool> remote_store::exists(unix_ms now, std::span<const block_key> keys) {
  std::vector<bool> found(keys.size());
  keys = keys.first(std::min(keys.size(), limits::remote_batch_max));
  const auto until = state_->deadline();
  if (keys.empty() || !state_->is_ready(now, until)) return found;
  redis_commands commands;
  for (const auto& key : keys) commands.add({"EXISTS", state_->key_of(key)});
  state_->run(now, commands, short_reply_bytes_max, until, [&found](std::size_t at, redis_reply&& reply) {
    found[at] = reply.what == kind::integer && reply.integer == 1;
    return reply.what == kind::integer || reply.what == kind::error;
  });
  return found;
}

void remote_store::apply(unix_ms now, const stored_intent& intent, layout_id layout, scope_id scope) {
  auto& s = *state_;
  s.pins.apply(intent);
  s.pins.expire(now);
  const auto longer = s.take_longer();
  const auto until = s.deadline();
  for (std::span left(longer); !left.empty() && s.compares_ends && s.is_ready(now, until);) {
    const auto batch = left.first(std::min(left.size(), limits::remote_batch_max));
    if (!s.extend(now, batch, layout, scope, until)) return;
    left = left.subspan(batch.size());
  }
}

void remote_store::release(owner_id owner) {
  state_->pins.release(owner);
  state_->take_longer();
}

std::size_t remote_store::drop(unix_ms now, std::span<const block_key> keys) {
  std::size_t dropped = 0;
  const auto until = state_->deadline();
  // Every key is wanted gone: more than one batch's worth takes more batches, under the same deadline.
  while (!keys.empty() && state_->is_ready(now, until)) {
    const auto batch = keys.first(std::min(keys.size(), limits::remote_batch_max));
    dropped += state_->drop(now, batch, until);
    keys = keys.subspan(batch.size());
  }
  return dropped;
}

remote_store_counts remote_store::counts() const {
  auto counts = state_->counts;
  counts.breaker_openings = state_->breaker.openings();
  return counts;
}

circuit_breaker::phase remote_store::breaker() const { return state_->breaker.state(); }
std::string remote_store::key_of(const block_key& key) const { return state_->key_of(key); }

}  // namespace troupe::store
