// A conversation as typed blocks: what the gateway's protocols are translated into and what templates are fed from.
// It lives here because messages carry it and engine/text renders it, and neither may include the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::core {

enum class chat_role : std::uint8_t { system, user, assistant, tool };

/// One typed piece of a message.
struct chat_block {
  enum class kind : std::uint8_t { text, reasoning, tool_call, tool_result } what = kind::text;
  std::string text;  ///< text, reasoning and result as they are; of a tool call its arguments as raw JSON text
  std::string id;    ///< of a tool call, or of the call a result answers
  std::string name;  ///< of the tool
  std::uint32_t cache_ttl_ms = 0;  ///< what the prompt says up to here is wished to stay so long (a cache breakpoint); 0: no wish
  bool operator==(const chat_block&) const = default;
};

struct chat_message {
  chat_role role = chat_role::user;
  std::vector<chat_block> blocks;
  bool operator==(const chat_message&) const = default;
};

/// A tool as the template sees it.
struct chat_tool {
  std::string name;
  std::string json;  ///< {"type": "function", "function": {...}}, key order as the client sent it
  bool operator==(const chat_tool&) const = default;
};

}  // namespace troupe::core
