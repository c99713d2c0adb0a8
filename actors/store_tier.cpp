#include "actors/store_tier.hpp"

#include <algorithm>
#include <span>

namespace troupe::actors {

std::uint32_t block_tokens_of(const core::tier_chain& chain) {
  return chain.blocks.empty() ? 0 : static_cast<std::uint32_t>(chain.tokens.size() / chain.blocks.size());
}

std::vector<store::stored_block> stored_forms(const store_tier_setup& of, const core::tier_chain& chain, std::uint32_t from,
                                              std::size_t count, std::uint32_t block_tokens) {
  std::vector<store::stored_block> forms;
  for (std::size_t i = from; i < from + count; ++i) {
    const auto tokens = std::span(chain.tokens).subspan(i * block_tokens, block_tokens);
    const auto& parent = i == 0 ? chain.root : chain.blocks[i - 1].hash;
    forms.push_back({chain.blocks[i], parent, of.layout, of.scope, {tokens.begin(), tokens.end()}, {}});
  }
  return forms;
}

std::vector<store::stored_block> stored_forms(const store_tier_setup& of, const std::vector<core::tier_block>& blocks) {
  std::vector<store::stored_block> forms;
  for (const auto& block : blocks) forms.push_back({block.identity, block.parent, of.layout, of.scope, block.tokens, {.role = static_cast<std::uint8_t>(block.role)}});
  return forms;
}

store::stored_intent pins_of(const owner_intent& intent, store::unix_ms now) {
  store::stored_intent pins{intent.owner, intent.generation, intent.chain, {}};
  for (const auto& wish : intent.wishes) {
    if (wish.rank < core::rank_pinned) continue;
    const auto last = std::ranges::find(intent.chain, wish.last);
    if (last == intent.chain.end()) continue;
    pins.prefixes.push_back({static_cast<std::uint32_t>(last - intent.chain.begin()) + 1, now + wish.ttl_ms});
  }
  return pins;
}

}  // namespace troupe::actors
