// One streamed turn as a client sees it: the frames of an SSE body in order, taken one by one or to the end.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/support/http_client.hpp"

namespace troupe::test {

/// What came of a turn. `done` is true only after the [DONE] frame.
struct turn_result {
  int status = 0;
  std::string text, finish_reason, error_code;
  std::uint32_t frames = 0;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  bool done = false;
};

class turn_stream {
 public:
  /// Sends `body` with stream and usage switched on. A body with "messages" is a chat.
  turn_stream(std::uint16_t port, nlohmann::json body, const http_fields& fields = {});

  /// Waits for the next frame with a text. False: the stream has ended, however.
  bool next();
  /// Reads to the end.
  const turn_result& finish();
  void close() { client_.close(); }
  [[nodiscard]] const turn_result& result() const noexcept { return result_; }

 private:
  void read_head();
  bool read_frame(std::string& frame);
  bool decode_chunk();
  void take(const nlohmann::json& frame);

  http_client client_;
  std::string raw_, body_;  ///< still chunked, and decoded
  turn_result result_;
  bool head_read_ = false, ended_ = false;
};

/// `count` token ids that are no special ones, the same for the same seed.
std::vector<int> some_tokens(std::size_t count, std::uint32_t seed);
/// A completion of token ids at temperature 0 that runs to its full length.
nlohmann::json completion_of(const std::vector<int>& prompt, std::uint32_t tokens_max);
nlohmann::json chat_of(const std::string& text, std::uint32_t tokens_max);

}  // namespace troupe::test
