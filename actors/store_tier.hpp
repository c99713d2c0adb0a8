// What the disk tier and the remote tier have in common: whose blocks they keep, in which form, and the batches that wait for all of
// their blocks before they are answered.
#pragma once

#include <algorithm>
#include <caf/actor_addr.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "actors/store_tier_messages.hpp"
#include "engine/store/stored_pins.hpp"

namespace troupe::actors {

struct store_tier_setup {
  worker_id tier;  ///< its number among the holders
  model_id model;
  std::uint64_t epoch = 0;
  store::layout_id layout;
  store::scope_id scope;
  std::uint64_t block_bytes = 0;
  std::int64_t unix_offset_ms = 0;  ///< what added to the actor's clock gives Unix time
};

/// The stored forms of blocks [from, from + count) of a chain.
std::vector<store::stored_block> stored_forms(const store_tier_setup& of, const core::tier_chain& chain, std::uint32_t from,
                                              std::size_t count, std::uint32_t block_tokens);
std::vector<store::stored_block> stored_forms(const store_tier_setup& of, const std::vector<core::tier_block>& blocks);

/// Tokens per block of a chain that holds exactly its blocks' tokens.
std::uint32_t block_tokens_of(const core::tier_chain& chain);

/// The pins among what an owner wishes.
store::stored_intent pins_of(const owner_intent& intent, store::unix_ms now);

/// The blocks of one put or get that have not been settled yet.
struct store_batch {
  std::variant<core::store_put, core::store_get> asked;
  store_client_actor answer_to;
  std::vector<store::stored_block> forms;  ///< of a get: with the retention of what was loaded
  std::vector<bool> arrived;  ///< of a get: loaded; of a put: there
  std::size_t left = 0;
};

/// Answers the batch, whose blocks are all settled.
template <class Self>
void answer_batch(Self* self, const store_batch& batch) {
  if (const auto* put = std::get_if<core::store_put>(&batch.asked)) {
    const bool is_complete = std::find(batch.arrived.begin(), batch.arrived.end(), false) == batch.arrived.end();
    self->send(batch.answer_to, core::store_put_done{put->transfer, is_complete});
    return;
  }
  core::store_got got{std::get<core::store_get>(batch.asked).load, 0, {}};
  for (; got.blocks < batch.arrived.size() && batch.arrived[got.blocks]; ++got.blocks)
    got.roles.push_back(core::role_of_number(batch.forms[got.blocks].retention.role));
  self->send(batch.answer_to, std::move(got));
}

}  // namespace troupe::actors
