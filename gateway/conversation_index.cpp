#include "gateway/conversation_index.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/text/volatile_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

enum class key_kind : std::uint64_t { message = 1, call, answer, asked };

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) { return XXH3_64bits_withSeed(text.data(), text.size(), seed); }

std::uint64_t join(std::uint64_t before, key_kind kind, std::uint64_t value) {
  const std::uint64_t parts[] = {before, static_cast<std::uint64_t>(kind), value};
  return XXH3_64bits(parts, sizeof parts);
}

/// Of a message without its reasoning: clients drop that, or some of it. Nor what they change in each request.
std::uint64_t hash_of(const core::chat_message& message) {
  std::uint64_t hash = static_cast<std::uint64_t>(message.role);
  for (const auto& block : message.blocks) {
    if (block.what == core::chat_block::kind::reasoning) continue;
    const bool is_system = message.role == core::chat_role::system;
    const auto said = is_system ? text::without_volatile(block.text, text::usual_volatile_patterns()) : std::string{};
    const std::string_view words = is_system ? said : block.text;
    hash = join(hash, static_cast<key_kind>(block.what), hash_of(words, hash_of(block.name, hash_of(block.id, 0))));
  }
  return hash;
}

std::string text_of(const core::chat_message& message) {
  std::string text;
  for (const auto& block : message.blocks)
    if (block.what == core::chat_block::kind::text) text += block.text;
  return text;
}

/// [i]: of the messages before i. One more at the end: of all.
std::vector<std::uint64_t> hash_prefixes(std::uint64_t scope, std::span<const core::chat_message> messages) {
  std::vector<std::uint64_t> hashes{scope};
  hashes.reserve(messages.size() + 1);
  for (const auto& message : messages) hashes.push_back(join(hashes.back(), key_kind::message, hash_of(message)));
  return hashes;
}

std::uint64_t call_key(std::uint64_t scope, std::string_view id) { return join(scope, key_kind::call, hash_of(id, 0)); }
std::uint64_t answer_key(std::uint64_t asked, std::string_view text) { return join(asked, key_kind::answer, hash_of(text, 0)); }
std::uint64_t asked_key(std::uint64_t asked) { return join(asked, key_kind::asked, 0); }

}  // namespace

conversation_index::entries::iterator conversation_index::look_up(std::uint64_t scope, std::span<const core::chat_message> messages,
                                                                  std::span<const std::uint64_t> before) {
  const auto known = [this](std::uint64_t key) {
    const auto at = by_key_.find(key);
    return at == by_key_.end() ? entries_.end() : at->second;
  };
  std::size_t looks = limits::conversation_looks_max;
  for (std::size_t i = messages.size(); i-- > 0 && looks > 0;) {
    for (const auto& block : messages[i].blocks) {
      if (block.what != core::chat_block::kind::tool_result || block.id.empty()) continue;
      if (const auto at = known(call_key(scope, block.id)); at != entries_.end()) return at;
    }
    if (messages[i].role != core::chat_role::assistant) continue;
    --looks;
    if (const auto at = known(answer_key(before[i], text_of(messages[i]))); at != entries_.end()) return at;
    if (const auto at = known(asked_key(before[i])); at != entries_.end()) return at;
  }
  return entries_.end();
}

void conversation_index::forget_key(entries::iterator at, std::uint64_t key) {
  if (const auto known = by_key_.find(key); known != by_key_.end() && known->second == at) by_key_.erase(known);
}

void conversation_index::add_key(entries::iterator at, std::uint64_t key) {
  by_key_.insert_or_assign(key, at);
  std::erase(at->keys, key);
  at->keys.push_back(key);
  if (at->keys.size() <= limits::conversation_keys_max) return;
  forget_key(at, at->keys.front());
  at->keys.erase(at->keys.begin());
}

conversation_index::match conversation_index::find(std::string_view scope, std::span<const core::chat_message> messages, std::string offered) {
  const auto scope_hash = hash_of(scope, 0);
  const auto prefixes = hash_prefixes(scope_hash, messages);
  const std::lock_guard lock(mutex_);
  match result;
  result.asked = prefixes.back();
  auto at = look_up(scope_hash, messages, prefixes);
  if (const auto named = by_name_.find(offered); at == entries_.end() && named != by_name_.end() && named->second->scope == scope_hash)
    at = named->second;
  result.is_new = at == entries_.end() || at->running > 0;
  if (result.is_new) {
    while (by_name_.contains(offered) || std::ranges::find(given_up_, offered) != given_up_.end()) offered += '+';
    entries_.push_front({session_id{std::move(offered)}, scope_hash, {}});
    at = entries_.begin();
    by_name_[at->session.value] = at;
  }
  entries_.splice(entries_.begin(), entries_, at);
  add_key(at, asked_key(result.asked));
  ++at->running;
  result.session = at->session;
  if (entries_.size() > sessions_max_) give_up_oldest(result.ended);
  return result;
}

/// As many as connections may run besides.
void conversation_index::give_up_oldest(std::vector<session_id>& ended) {
  const auto oldest = std::find_if(entries_.rbegin(), entries_.rend(), [](const entry& each) { return each.running == 0; });
  if (oldest == entries_.rend()) return;
  const auto at = std::prev(oldest.base());
  for (const auto key : at->keys) forget_key(at, key);
  by_name_.erase(at->session.value);
  if (given_up_.size() == limits::conversations_ended_max) given_up_.pop_front();
  given_up_.push_back(at->session.value);
  ended.push_back(std::move(at->session));
  entries_.erase(at);
}

void conversation_index::leave(const session_id& session) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_name_.find(session.value); known != by_name_.end() && known->second->running > 0) --known->second->running;
}

void conversation_index::answered(const session_id& session, std::uint64_t asked, std::string_view text, std::span<const std::string> calls) {
  const auto key = answer_key(asked, text);
  const std::lock_guard lock(mutex_);
  const auto known = by_name_.find(session.value);
  if (known == by_name_.end()) return;
  const auto at = known->second;
  add_key(at, key);
  for (const auto& call : calls | std::views::take(limits::conversation_keys_max / 2)) add_key(at, call_key(at->scope, call));
}

std::size_t conversation_index::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace troupe::gateway
