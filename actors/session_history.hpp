// What a session's main conversation has left in caches, and what of it a new prompt leaves behind. Templates drop old reasoning when a
// new user message comes, and harnesses edit the end of a history: the blocks behind the first difference will not be asked for again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/block_hash.hpp"
#include "engine/core/chat.hpp"
#include "messages/memory.hpp"

namespace troupe::actors {

class session_history {
 public:
  /// A main turn has ended: its messages, none for text and tokens, and the blocks of its prompt and answer.
  void remember(owner_id owner, std::span<const core::chat_message> messages, std::vector<core::block_identity> chain);
  void forget() { *this = {}; }
  [[nodiscard]] bool is_empty() const noexcept { return chain_.empty(); }
  /// Blocks that a prompt begins with as they are remembered, whoever owns them.
  [[nodiscard]] std::size_t shared_blocks(std::span<const core::block_identity> chain) const;

  /// The next main prompt. When it goes on with the same conversation under the same owner, what it no longer shares: because a user
  /// message made the template rewind, or because its end was rewritten. Nothing otherwise: another conversation may come back to this one.
  [[nodiscard]] owner_forget left_behind(owner_id owner, std::span<const core::chat_message> messages,
                                         std::span<const core::block_identity> chain) const;
  /// The same for a prompt that is known to go on with it after a user message.
  [[nodiscard]] owner_forget diverging(owner_id owner, std::span<const core::block_identity> chain) const;
  /// The blocks from number `first` on.
  [[nodiscard]] owner_forget behind(owner_id owner, std::size_t first) const;

 private:
  owner_id owner_;
  std::vector<std::uint64_t> digests_;  ///< of the messages, without their reasoning
  std::vector<core::block_identity> chain_;
};

}  // namespace troupe::actors
