#include "engine/core/replay/prompt_tokens.hpp"

#include <algorithm>
#include <string>

namespace troupe::core::replay {
namespace {

/// The finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

}  // namespace

expected<prompt_tokens> prompt_tokens::make(const recorded_trace& trace, std::uint32_t vocabulary) {
  std::uint64_t names = 1;
  std::uint32_t digits = 0;
  for (; digits < trace.block_tokens && names < trace.blocks.size(); ++digits) names *= vocabulary;
  if (vocabulary < 2 || names < trace.blocks.size())
    return failure{errc::invalid_request,
                   "a vocabulary of " + std::to_string(vocabulary) + " has no " + std::to_string(trace.blocks.size()) +
                       " different blocks of " + std::to_string(trace.block_tokens) + " tokens",
                   "vocabulary"};
  return prompt_tokens(trace, vocabulary, digits);
}

token_id prompt_tokens::draw(std::uint64_t seed, std::uint64_t position) const {
  return static_cast<token_id>(mix(seed + (position + 1) * 0x9E3779B97F4A7C15ULL) % vocabulary_);
}

void prompt_tokens::write(const recorded_request& request, std::uint64_t salt, std::vector<token_id>& into) const {
  const std::uint64_t width = trace_->block_tokens, known = request.blocks * width;
  into.resize(known);
  auto block = request.last;
  for (std::uint32_t i = request.blocks; i-- > 0; block = trace_->blocks.parent(block)) {
    std::uint64_t name = block;
    for (std::uint64_t at = 0; at < width; ++at, name /= vocabulary_)
      into[i * width + at] = at < digits_ ? static_cast<token_id>(name % vocabulary_) : draw(block, at);
  }
  // The last block of some formats is not full, and all may have tokens after it. Any other length contradicts the blocks.
  const std::uint64_t said = request.input_tokens;
  const auto wanted = said + width > known && said < known + width ? said : known;
  for (auto at = known; at < wanted; ++at) into.push_back(draw(~salt, at));
  into.resize(std::max<std::uint64_t>(wanted, 1));
}

}  // namespace troupe::core::replay
