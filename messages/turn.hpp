// One turn between the gateway and a session: the request as typed blocks, and the answer as a stream of events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/chat.hpp"
#include "engine/core/retention/residency.hpp"
#include "engine/core/sampling.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/base/limits.hpp"
#include "messages/cache_miss.hpp"

namespace troupe {

using core::chat_block;
using core::chat_message;
using core::chat_role;
using core::chat_tool;

/// What a turn continues: a conversation for the template, or text or tokens as they are.
struct turn_prompt {
  enum class kind : std::uint8_t { chat, text, tokens } what = kind::chat;
  std::vector<chat_message> messages;
  std::vector<chat_tool> tools;
  std::string template_arguments;      ///< JSON object of extra template variables, or empty
  bool continue_final_message = false; ///< the last assistant message is a prefix of the answer
  std::string text;
  std::vector<token_id> tokens;
  bool operator==(const turn_prompt&) const = default;
};

/// Sampling fields a request set; unset ones (NaN, or -1 for top_k) take generation_config's, then the defaults.
struct sampling_wish {
  float temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::int32_t top_k = -1;
  std::int32_t logprobs = -1;  ///< as in sampling_params
  std::uint64_t seed = 0;
  bool has_seed = false;
  sampling_wish();
  bool operator==(const sampling_wish&) const noexcept;  ///< bit by bit: unset equals unset
};

/// That these tokens of the prompt stay for a while.
struct retain_range {
  std::uint32_t token_begin = 0, token_end = 0;  ///< 0, 0: the whole prompt
  std::int32_t priority = 0;                     ///< 0 to 100
  std::uint32_t ttl_ms = 0;
  bool operator==(const retain_range&) const = default;
};

/// Whoever waits for it: queues look at it before tier and priority.
enum class work_class : std::uint8_t { background, normal, interactive };

/// Advice from the harness; never changes tokens.
struct agent_hints {
  std::int32_t priority = 0;        ///< higher wins
  std::uint32_t output_tokens = 0;  ///< expected, 0: unknown
  std::uint32_t pause_ms = 0;       ///< expected pause after this answer, 0: unknown
  bool final_turn = false;          ///< the session dies after this answer
  core::tier_level max_tier = core::tier_level::remote;  ///< the lowest tier that may keep this context
  std::uint32_t cache_ttl_ms = 0;   ///< nothing keeps this context longer after its last use; 0: no bound of its own
  std::vector<retain_range> retain;
  work_class urgency = work_class::normal;
  std::uint32_t tier = 0;           ///< within the class, higher wins whatever the priorities
  bool is_side = false;             ///< beside the agent's conversation: changes nothing of its session
  bool speculate = true;            ///< the next prompt's begin may be computed ahead
  std::int64_t resume_at_ms = 0;    ///< when the next turn is expected, Unix time; 0: unknown
  std::int32_t breakpoint_priority = limits::breakpoint_priority;  ///< of what lies before the prompt's cache breakpoints, 0 to 100
  bool operator==(const agent_hints&) const = default;
};

struct turn_request {
  request_id id;
  model_id model;
  turn_prompt prompt;
  sampling_wish sampling;
  std::uint32_t tokens_max = 0;  ///< of output; 0: what the context leaves
  bool clip_tokens_max = false;  ///< where the context leaves less, the answer is shorter; otherwise the turn is refused
  std::uint32_t tokens_min = 0;
  std::vector<std::string> stop;
  std::vector<token_id> stop_tokens;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
  bool parse_tools = false;      ///< tools were offered: recognise calls in the answer
  std::string cache_salt;
  agent_hints hints;
  std::uint32_t timeout_ms = 0;  ///< from receipt
  bool operator==(const turn_request&) const = default;
};

/// Sent once, before the first delta: the numbers are exact.
struct turn_started {
  request_id id;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;  ///< of them, taken from cache: a multiple of block_tokens
  bool operator==(const turn_started&) const = default;
};

/// A piece of the answer. Tool calls: `tool_begin` carries id and name, `tool_arguments` fragments of the JSON text.
struct turn_delta {
  enum class kind : std::uint8_t { text, reasoning, tool_begin, tool_arguments } what = kind::text;
  request_id id;
  std::uint32_t sequence = 0;        ///< 0, 1, 2, ... within the turn: a repeat is dropped
  std::string text;
  std::uint32_t tool_index = 0;
  std::string tool_id, tool_name;
  std::vector<core::sampled_token> tokens;  ///< whose text this is; filled only when logprobs were asked for
  std::vector<std::string> token_texts;     ///< parallel to `tokens`, then the texts of their `top` lists in order
  std::uint32_t output_tokens = 0;          ///< of the whole turn, when this was said
  bool operator==(const turn_delta&) const = default;
};

enum class turn_end : std::uint8_t { stop, length, tool_calls, failed };

struct turn_usage {
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  double queue_s = 0, first_token_s = 0, total_s = 0;  ///< since the session received the turn
  cache_miss miss;  ///< against the turn of the session before; side calls have none
  bool operator==(const turn_usage&) const = default;
};

/// The last event of every turn that was accepted.
struct turn_finished {
  request_id id;
  turn_end how = turn_end::stop;
  std::string stop_string;  ///< the one that matched, if any
  failure error;            ///< when failed
  turn_usage usage;
  bool operator==(const turn_finished&) const = default;
};

/// The client went away, or its deadline passed.
struct turn_cancel {
  request_id id;
  errc why = errc::cancelled;
  bool operator==(const turn_cancel&) const = default;
};

}  // namespace troupe
