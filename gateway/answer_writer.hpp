// Turns the events of one turn into the bytes of its answer, in some protocol's shape. No I/O: the exchange owns the buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "messages/turn.hpp"

namespace troupe::gateway {

class answer_writer {
 public:
  virtual ~answer_writer() = default;
  /// Each appends what may be sent now: nothing until `finished` for a whole answer, frames for a stream.
  virtual void started(const turn_started& event, std::string& out) = 0;
  virtual void delta(const turn_delta& event, std::string& out) = 0;
  /// Not called for a turn that failed.
  virtual void finished(const turn_finished& event, std::string& out) = 0;
  /// The last frame of a stream that had begun, perhaps with a comment alone. A whole answer that fails is not written at all.
  virtual void failed(const failure& error, std::string_view request_id, std::string& out) = 0;
  /// The turn has failed and nothing of it was written: the failure is answered as any other.
  virtual void refused(const failure& /*error*/) {}
};

struct answer_shape;
/// Of the prompt, what the turn has added to caches: whole blocks, and never the last token, which is computed anew each time.
std::uint32_t cache_written_tokens(const answer_shape& shape, const turn_usage& usage) noexcept;

/// What every chunk of an answer repeats, and what the client asked to see.
struct answer_shape {
  std::string id;     ///< "chatcmpl-...", "msg_..."
  std::string model;  ///< as the client named it
  std::string fingerprint;
  std::int64_t created_s = 0;
  request_id turn;
  session_id session;
  std::uint32_t tokens_max = 0;    ///< as the client said, 0: it did not
  std::uint32_t block_tokens = 0;  ///< of the model's caches, 0: not known
  std::uint32_t cache_ttl_ms = 0;  ///< the shortest of the request's cache breakpoints, 0: it has none
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  std::string hints;            ///< hint_members of the request; empty: nobody has asked what became of its hints
  bool diagnose_cache = false;  ///< OpenAI's prompt_cache_diagnostics was asked for
};

}  // namespace troupe::gateway
