// What a session wishes kept: pins and priorities with an end, by verb or with a request. A plain object that knows neither actors nor
// blocks in memory: it turns wishes about tokens into wishes about the blocks of the present context.
//
// What verbs wished outlives the process, by records with ends in Unix time. What a request wished does not: the next one says it again.
#pragma once

#include <optional>
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
  session_wishes() = default;
  /// As they were kept, without what has ended by now. Holders that still know the session hear of later generations only.
  session_wishes(const intent_record& kept, core::instant now, std::int64_t now_unix_ms);

  /// `pin` or `retain`. Clipped to what the limits allow; a ttl of 0 ends what the same verb wished for the same tokens.
  verb_answer take(const session_verb& verb, core::instant now);
  /// Those of a request replace those of the one before.
  void take(const std::vector<retain_range>& ranges, core::instant now);

  /// Something is wished, or holders remember wishes that have ended.
  [[nodiscard]] bool concerns_holders(core::instant now);
  /// What a restart must know and no record has said yet; the caller adds whose it is.
  std::optional<intent_record> take_record(core::instant now, std::int64_t now_unix_ms);
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
  std::uint64_t generation_kept_ = 0;  ///< what the last record covers
  bool is_changed_ = false;            ///< what verbs wish, since the last record
  bool is_told_ = false;               ///< holders know of a wish
};

}  // namespace troupe::actors
