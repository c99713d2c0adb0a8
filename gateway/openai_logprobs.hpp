// Log probabilities in OpenAI's two shapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/turn.hpp"

namespace troupe::gateway {

/// Chat: the elements of `logprobs.content`, comma-separated, appended to `out`.
void append_chat_logprobs(std::string& out, const turn_delta& event);

/// Legacy: four parallel arrays that grow over the deltas.
class completion_logprobs {
 public:
  void add(const turn_delta& event);
  /// {"tokens":[...],"token_logprobs":[...],"top_logprobs":[...],"text_offset":[...]}
  void append_to(std::string& out) const;
  /// Forgets the entries, keeps the offset: for the next chunk of a stream.
  void clear();

 private:
  std::string tokens_, values_, tops_, offsets_;
  std::int64_t offset_ = 0;  ///< in characters since the answer's begin
};

}  // namespace troupe::gateway
