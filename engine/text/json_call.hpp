// A call whose object is {"name": ..., "arguments": ...} as pieces: it begins once it has its name and the beginning of its arguments,
// and streams from then on. What it has read before belongs to its parser, who gives it out as text when no call begins.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"
#include "engine/text/hermes_call.hpp"

namespace troupe::text {

struct json_call_options {
  call_members members{};
  bool needs_arguments = false;  ///< an object with a name alone is no call
};

class json_call {
 public:
  explicit json_call(json_call_options options = {}) : call_(options.members), needs_arguments_(options.needs_arguments) {}

  struct result {
    std::size_t bytes = 0;  ///< of the text that belong to the call
    hermes_call::progress how = hermes_call::progress::inside;
  };
  /// Reads the next text, to the object's last brace. `calls` counts the calls that begin.
  result read(std::string_view text, std::uint32_t& calls, std::vector<answer_piece>& pieces);
  [[nodiscard]] bool begun() const noexcept { return begun_; }

 private:
  hermes_call call_;
  bool needs_arguments_;
  bool begun_ = false;
};

}  // namespace troupe::text
