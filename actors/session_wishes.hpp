// What a session wishes kept: pins and priorities with an end, by verb or with a request. A plain object that knows neither actors nor
// blocks in memory: it turns wishes about tokens into wishes about the blocks of the present context.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/core/instant.hpp"
#include "messages/lifecycle.hpp"
#include "messages/memory.hpp"
#include "messages/turn.hpp"

namespace troupe::actors {

class session_wishes {
 public:
  /// `pin` or `retain`. Clipped to what the limits allow; a ttl of 0 ends what the same verb wished for the same tokens.
  verb_answer take(const session_verb& verb, core::instant now);
  /// Those of a request replace those of the one before.
  void take(const std::vector<retain_range>& ranges, core::instant now);

  /// Something is wished, or holders remember wishes that have ended.
  [[nodiscard]] bool concerns_holders(core::instant now);
  /// For the holders of the context that `chain` names, in blocks of `block_tokens`.
  owner_intent intent(owner_id owner, std::span<const core::block_identity> chain, std::uint32_t block_tokens, core::instant now);

 private:
  struct wish {
    std::uint32_t token_begin = 0, token_end = 0;  ///< 0, 0: all of the context
    std::uint8_t rank = 0;
    bool is_of_request = false;
    core::instant until{0};
  };
  void add(wish made);

  std::vector<wish> wishes_;
  std::uint64_t generation_ = 0;
  bool is_told_ = false;  ///< holders know of a wish
};

}  // namespace troupe::actors
