// What the gateway is started with: where to listen, its limits (defaults in messages/base/limits.hpp), and what it may say of
// the models behind it. Models are plain data and functions, so that no route needs to know an engine.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/access.hpp"
#include "gateway/tenant_quotas.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"
#include "messages/base/limits.hpp"

namespace troupe {
struct turn_request;
}
namespace troupe::store {
class text_seal;
}

namespace troupe::gateway {

class audit_log;
class response_store;
class tls_identity;

struct gateway_model {
  model_id name;
  std::function<bool(std::string_view)> is_alias;  ///< for names other than `name`; may be empty
  std::uint32_t context_length = 0;
  std::uint32_t vocabulary_size = 0;      ///< token ids from a client must be below; 0: not checked
  std::uint32_t block_tokens = 0;         ///< what caches keep comes in whole blocks; 0: not known, nothing is said of it
  std::int64_t created_s = 0;             ///< Unix time
  std::string fingerprint = "fp_troupe";  ///< changes when answers to the same seed may change
  /// Both are called from I/O threads, side by side. The flag of `tokenize` asks for the special tokens of the post-processor.
  std::function<std::vector<token_id>(std::string_view, bool)> tokenize;
  std::function<std::string(const std::vector<token_id>&)> detokenize;
  /// What the node's renderer is to be given for a conversation; may be empty. Called as the two above.
  std::function<expected<std::string>(const turn_request&)> template_input;
};

struct gateway_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: any free one, see server::port()
  unsigned io_threads = 1;
  std::vector<gateway_model> models;   ///< the first answers requests that name none
  key_ring keys;                       ///< none: everybody is let in, from this machine only
  std::vector<tenant_limits> tenants;  ///< whose use is bounded or counted

  std::size_t connections_max = limits::connections_max;
  std::size_t header_bytes_max = limits::header_bytes_max;
  std::size_t body_bytes_max = limits::body_bytes_max;
  std::size_t stream_bytes_queued_max = limits::stream_bytes_queued_max;
  std::size_t uploads_bytes_max = limits::uploads_bytes_max;
  std::size_t conversations_max = limits::conversations_max;
  std::size_t kept_turns_max = limits::kept_turns_max;
  std::size_t kept_turn_bytes_max = limits::kept_turn_bytes_max;
  std::size_t kept_turns_bytes_max = limits::kept_turns_bytes_max;
  std::chrono::milliseconds kept_turn_time = limits::kept_turn_time;
  std::chrono::milliseconds kept_turn_orphan_wait = limits::kept_turn_orphan_wait;
  std::chrono::milliseconds header_wait = limits::header_wait;
  std::chrono::milliseconds body_wait = limits::body_wait;
  std::chrono::milliseconds write_wait = limits::write_wait;
  std::chrono::milliseconds keep_alive_wait = limits::keep_alive_wait;
  std::chrono::milliseconds linger_wait = limits::linger_wait;
  std::chrono::milliseconds control_wait = limits::control_wait;
  std::chrono::milliseconds response_wait = limits::response_wait;
  std::chrono::milliseconds sse_comment_interval = limits::sse_comment_interval;
  std::chrono::milliseconds request_timeout = limits::request_timeout;
  std::chrono::milliseconds request_timeout_max = limits::request_timeout_max;

  std::shared_ptr<tls_identity> tls;                 ///< null: plain HTTP
  std::shared_ptr<audit_log> audit;                  ///< null: no line is written
  std::shared_ptr<response_store> responses;         ///< null: none is kept
  std::shared_ptr<store::text_seal> reasoning_seal;  ///< of `encrypted_content` and signatures; null: there is none

  /// The model of that name or alias, nullptr when none matches. An empty name is the first model.
  [[nodiscard]] const gateway_model* find_model(std::string_view name) const;
};

}  // namespace troupe::gateway
