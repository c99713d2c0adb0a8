#include "gateway/conversation_index.hpp"

#include <ranges>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/text/volatile_text.hpp"
#include "messages/base/limits.hpp"
#include "messages/base/session_scope.hpp"

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

std::optional<conversation_index::place> conversation_index::look_up(std::uint64_t scope, std::span<const core::chat_message> messages,
                                                                     std::span<const std::uint64_t> before) {
  const auto known = [this](std::uint64_t key) {
    const auto at = by_key_.find(key);
    return at == by_key_.end() ? std::nullopt : std::optional(at->second);
  };
  std::size_t looks = limits::conversation_looks_max;
  for (std::size_t i = messages.size(); i-- > 0 && looks > 0;) {
    for (const auto& block : messages[i].blocks) {
      if (block.what != core::chat_block::kind::tool_result || block.id.empty()) continue;
      if (const auto at = known(call_key(scope, block.id))) return at;
    }
    if (messages[i].role != core::chat_role::assistant) continue;
    --looks;
    if (const auto at = known(answer_key(before[i], text_of(messages[i])))) return at;
    if (const auto at = known(asked_key(before[i]))) return at;
  }
  return std::nullopt;
}

void conversation_index::forget_key(place at, std::uint64_t key) {
  if (const auto known = by_key_.find(key); known != by_key_.end() && known->second == at) by_key_.erase(known);
}

void conversation_index::add_key(place at, std::uint64_t key) {
  auto& keys = at->item.keys;
  by_key_.insert_or_assign(key, at);
  std::erase(keys, key);
  keys.push_back(key);
  if (keys.size() <= limits::conversation_keys_max) return;
  forget_key(at, keys.front());
  keys.erase(keys.begin());
}

conversation_index::match conversation_index::find(std::string_view scope, std::span<const core::chat_message> messages, std::string offered) {
  const auto scope_hash = hash_of(scope, 0);
  const auto prefixes = hash_prefixes(scope_hash, messages);
  const std::lock_guard lock(mutex_);
  match result;
  result.asked = prefixes.back();
  auto at = look_up(scope_hash, messages, prefixes);
  if (const auto named = by_name_.find(offered); !at && named != by_name_.end() && named->second->item.scope == scope_hash)
    at = named->second;
  result.is_new = !at || (*at)->item.running > 0;
  if (result.is_new) {
    while (by_name_.contains(offered) || dying_.contains(offered)) offered += '+';
    at = entries_.add(tenant_of({offered}), {session_id{offered}, scope_hash, {}});
    by_name_[offered] = *at;
  }
  entries_.renew(*at);
  add_key(*at, asked_key(result.asked));
  ++(*at)->item.running;
  result.session = (*at)->item.session;
  while (entries_.size() > sessions_max_ && make_room(*(*at)->holder, result.ended)) continue;
  return result;
}

/// As many as connections may run besides: then there is none.
bool conversation_index::make_room(std::string_view tenant, std::vector<session_id>& ended) {
  const auto at = entries_.displaced_by(tenant, [](const entry& each) { return each.running == 0; });
  if (!at) return false;
  for (const auto key : (*at)->item.keys) forget_key(*at, key);
  by_name_.erase((*at)->item.session.value);
  if (given_up_.size() == limits::conversations_ended_max) {
    dying_.erase(given_up_.front());
    given_up_.pop_front();
  }
  given_up_.push_back((*at)->item.session.value);
  dying_.insert((*at)->item.session.value);
  ended.push_back(std::move((*at)->item.session));
  entries_.erase(*at);
  return true;
}

void conversation_index::leave(const session_id& session) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_name_.find(session.value); known != by_name_.end() && known->second->item.running > 0)
    --known->second->item.running;
}

void conversation_index::answered(const session_id& session, std::uint64_t asked, std::string_view text, std::span<const std::string> calls) {
  const auto key = answer_key(asked, text);
  const std::lock_guard lock(mutex_);
  const auto known = by_name_.find(session.value);
  if (known == by_name_.end()) return;
  const auto at = known->second;
  add_key(at, key);
  for (const auto& call : calls | std::views::take(limits::conversation_keys_max / 2)) add_key(at, call_key(at->item.scope, call));
}

std::size_t conversation_index::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace troupe::gateway
