// What an operator can set, parsed once and passed down by value. Keys, ranges and units stand in actors/config_fields.hpp, every key
// with its meaning in configs/node.toml. A parsed config is resolved: paths are absolute, names are filled in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "actors/config_access.hpp"
#include "actors/config_audit.hpp"
#include "actors/config_gateway.hpp"
#include "actors/config_responses.hpp"
#include "actors/config_tiers.hpp"
#include "engine/core/block_pool.hpp"
#include "engine/core/scheduler.hpp"
#include "engine/text/volatile_text.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/limits.hpp"

namespace troupe::actors {

struct node_config {
  std::string name = "troupe";
  std::filesystem::path data_dir = "~/.local/share/troupe";  ///< journal, key file
  std::uint32_t drain_s = 10;
  std::uint32_t threads = 0;          ///< of the actor scheduler, 0: one per core
  std::uint32_t compute_threads = 0;  ///< of the CPU backend, 0: one per core
  bool operator==(const node_config&) const = default;
};

struct model_config {
  std::filesystem::path path;            ///< a Hugging Face folder
  std::string name;                      ///< default: the folder's
  std::vector<std::string> aliases;      ///< patterns with * and ?
  std::string dtype = "checkpoint";      ///< checkpoint, f32, bf16
  std::uint32_t context_tokens_max = 0;  ///< 0: the model's
  std::filesystem::path chat_template;   ///< empty: the model's
  std::string tool_format = "auto";      ///< auto, none, or see text::is_tool_format
  bool merge_same_role = false;          ///< join neighbouring messages of one role before the template sees them
  std::vector<std::string> volatile_text = text::usual_volatile_patterns();  ///< left out of system messages
  bool operator==(const model_config&) const = default;
};

struct worker_config {
  std::string model;                                ///< a model's name; default: the first one's
  std::string backend = "cpu";                      ///< cpu, timing
  std::uint32_t count = 1;                          ///< workers like this one
  std::uint64_t kv_bytes = std::uint64_t{1} << 30;  ///< of its block pool; 0 when `blocks` says it
  std::uint32_t blocks = 0;                         ///< of its block pool; 0 when `kv_bytes` says it
  std::uint32_t block_tokens = core::block_pool_options{}.block_tokens;
  std::uint32_t step_tokens_max = core::scheduler_options{}.step_tokens_max;
  std::uint32_t prefill_chunk_max = core::scheduler_options{}.prefill_chunk_max;
  std::uint32_t running_max = core::scheduler_options{}.running_max;
  std::uint32_t waiting_max = core::scheduler_options{}.waiting_max;
  double timing_step_us = 5'000;         ///< timing backend: what every step takes, microseconds
  double timing_prefill_token_us = 100;  ///< and each prefilled token on top
  double timing_decode_token_us = 200;   ///< and each decoded token on top
  double timing_block_us = 40;           ///< and each block on its way to or from the host
  std::filesystem::path timing_script;   ///< timing backend: a JSON list of answers, one is chosen by the request's seed; empty: hashed tokens
  bool operator==(const worker_config&) const = default;
};

struct admission_config {
  std::uint32_t session_wait_ms_max = 0;  ///< of a session that owns nothing on its worker yet, 0: none waits
  bool operator==(const admission_config&) const = default;
};

struct router_config {
  std::string behaviour = "cost";  ///< a name of core::make_routing_policy
  std::uint32_t routes_waiting_max = limits::routes_waiting_max;
  bool operator==(const router_config&) const = default;
};

struct session_config {
  std::uint32_t idle_ttl_s = 3600;
  std::uint32_t sessions_max = limits::sessions_max;
  std::uint32_t turns_per_session_max = limits::turns_per_session_max;
  bool operator==(const session_config&) const = default;
};

struct template_config {
  std::uint32_t time_ms = std::chrono::milliseconds(limits::render_wait).count();
  std::uint64_t output_bytes_max = limits::render_output_bytes_max;
  std::uint32_t waiting_max = limits::renders_waiting_max;
  bool operator==(const template_config&) const = default;
};

struct trace_config {
  std::filesystem::path file;  ///< JSONL of turns and lifecycle verbs; empty: off
  bool operator==(const trace_config&) const = default;
};

struct log_config {
  std::string level = "info";  ///< trace, debug, info, warn, error, off
  bool operator==(const log_config&) const = default;
};

struct config {
  node_config node;
  gateway_config gateway;
  responses_config responses;
  audit_config audit;
  std::vector<tenant_config> tenants;  ///< names are unique; `default` exists without being named
  std::vector<key_config> keys;        ///< none: everybody who reaches the address is let in
  std::vector<model_config> models;    ///< at least one; names are unique
  std::vector<worker_config> workers;  ///< default: one per model
  retention_config retention;
  host_tier_config host_tier;
  disk_tier_config disk_tier;
  remote_tier_config remote_tier;
  admission_config admission;
  router_config router;
  session_config session;
  template_config chat_template;  ///< [template]
  trace_config trace;
  log_config log;
  bool operator==(const config&) const = default;
};

/// What the parser may know of its surroundings. `~` needs `home`; relative paths start at `folder`.
struct config_origin {
  std::filesystem::path folder;  ///< of the config file, absolute
  std::string home;              ///< HOME, may be empty
};

/// Failures: invalid_request; `param` is the full path of the key, and the message names it with unit and range.
expected<config> parse_config(std::string_view text, const config_origin& origin);
/// Reads `file`; also io_failed.
expected<config> load_config(const std::filesystem::path& file, std::string home);
/// The resolved config as TOML; parses back to an equal struct.
std::string to_toml(const config& value);
/// Every key as "section.key", in the order of to_toml.
std::vector<std::string> config_keys();

/// 127.0.0.0/8 or ::1.
bool is_loopback(const std::string& address);
/// Whether `pattern` (`*`: any text, `?`: any one byte) matches all of `name`.
bool matches_alias(std::string_view pattern, std::string_view name) noexcept;
/// The model that a request means by `name`: an exact name first, then aliases in the order of the config. Null: none.
const model_config* find_model(const std::vector<model_config>& models, std::string_view name) noexcept;

}  // namespace troupe::actors
