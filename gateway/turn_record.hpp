// What a turn with an idempotency key has answered so far, so that it can be said again from any frame on: its server-sent events, numbered
// by an `id:` line each, or one whole answer. Bounded: a long stream gives up its first frames. Plain data; kept_turn guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/http_message.hpp"

namespace troupe::gateway {

class turn_record {
 public:
  explicit turn_record(std::size_t bytes_max);

  // Writing

  void begin(http_response head);
  /// Takes whole frames, each with the empty line that ends it. Comments are left out: whoever reads later makes its own.
  void append(std::string_view frames);
  /// How the stream ended; a failure's connection is not used again.
  enum class ending : std::uint8_t { complete, failed };
  void end(ending how);
  /// An answer that is no stream.
  void finish(http_response whole);
  /// Gives up the first frames until no more than that is kept, but for the last piece.
  void trim(std::size_t bytes);
  /// Gives up everything that was said.
  void discard();

  // Reading

  enum class progress : std::uint8_t {
    waiting,    ///< nothing was said yet
    whole,      ///< head() is the whole answer
    streaming,  ///< head() is there, and more than was read will come or is here
    ended,      ///< everything was read
    failed,     ///< the same, and the last frame told of a failure
    lost,       ///< the frame wanted was given up
  };
  /// Appends frames from the `next`-th on (they count from 1) until `bytes_max` is reached, and moves `next` behind them.
  progress read(std::uint64_t& next, std::size_t bytes_max, std::string& out) const;
  [[nodiscard]] std::shared_ptr<const http_response> head() const noexcept { return head_; }
  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool is_over() const noexcept { return is_whole_ || is_over_; }

 private:
  struct piece {
    std::uint64_t first = 0;  ///< frame
    std::string bytes;
    std::vector<std::uint32_t> ends;  ///< of its frames
  };
  void append_frame(std::string_view frame);

  std::size_t bytes_max_, piece_bytes_;
  std::shared_ptr<const http_response> head_;
  std::deque<piece> pieces_;
  std::uint64_t frames_ = 0;
  std::size_t bytes_ = 0;
  bool is_whole_ = false, is_over_ = false, is_discarded_ = false;
  ending how_ = ending::complete;
};

}  // namespace troupe::gateway
