#include "actors/session_history.hpp"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace troupe::actors {
namespace {

/// Clients send reasoning back or not, as they like: it does not make another conversation.
std::uint64_t digest_of(const core::chat_message& message) {
  std::uint64_t digest = static_cast<std::uint64_t>(message.role) + 1;
  const auto add = [&digest](const std::string& text) { digest = XXH3_64bits_withSeed(text.data(), text.size(), digest); };
  for (const auto& block : message.blocks) {
    if (block.what == core::chat_block::kind::reasoning) continue;
    digest += static_cast<std::uint64_t>(block.what);
    add(block.text);
    add(block.id);
    add(block.name);
  }
  return digest;
}

}  // namespace

void session_history::remember(owner_id owner, std::span<const core::chat_message> messages, std::vector<core::block_identity> chain) {
  owner_ = owner;
  digests_.clear();
  for (const auto& message : messages) digests_.push_back(digest_of(message));
  chain_ = std::move(chain);
}

owner_forget session_history::left_behind(owner_id owner, std::span<const core::chat_message> messages,
                                          std::span<const core::block_identity> chain) const {
  owner_forget left{owner, {}, core::eviction_cause::superseded};
  if (!(owner == owner_) || digests_.empty() || digests_.size() > messages.size()) return left;
  for (std::size_t i = 0; i < digests_.size(); ++i)
    if (digest_of(messages[i]) != digests_[i]) return left;
  left = diverging(owner, chain);
  const auto added = messages.subspan(digests_.size());
  const bool has_user = std::ranges::any_of(added, [](const auto& each) { return each.role == core::chat_role::user; });
  if (!has_user) left.cause = core::eviction_cause::superseded;
  return left;
}

std::size_t session_history::shared_blocks(std::span<const core::block_identity> chain) const {
  return static_cast<std::size_t>(std::ranges::mismatch(chain_, chain).in1 - chain_.begin());
}

owner_forget session_history::diverging(owner_id owner, std::span<const core::block_identity> chain) const {
  owner_forget left{owner, {}, core::eviction_cause::rewind};
  if (owner == owner_) left.blocks.assign(std::ranges::mismatch(chain_, chain).in1, chain_.end());
  return left;
}

owner_forget session_history::behind(owner_id owner, std::size_t first) const {
  owner_forget left{owner, {}, core::eviction_cause::superseded};
  if (owner == owner_ && first < chain_.size()) left.blocks.assign(chain_.begin() + static_cast<std::ptrdiff_t>(first), chain_.end());
  return left;
}

}  // namespace troupe::actors
