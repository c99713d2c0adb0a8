#include "gateway/commands/running_node.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/node.hpp"
#include "actors/session_prompts.hpp"
#include "engine/core/cpu/usable_cores.hpp"
#include "engine/store/text_seal.hpp"
#include "gateway/actor_calls.hpp"
#include "gateway/audit_log.hpp"
#include "gateway/commands/configured_access.hpp"
#include "gateway/response_store.hpp"
#include "gateway/tls_identity.hpp"
#include "messages/base/limits.hpp"
#include "messages/errors.hpp"
#include "messages/types.hpp"

namespace troupe::gateway {
namespace {

/// How long the last answers may take to leave.
constexpr auto end_wait = std::chrono::seconds(2);
/// What a node may take beyond its deadline: its sessions' blocks are released, then its children end.
constexpr auto drain_slack = 2 * limits::release_wait + limits::child_end_wait + std::chrono::seconds(1);

std::size_t actor_threads(const actors::config& config) { return config.node.threads ? config.node.threads : core::usable_cores(); }

caf::actor_system_config& configure(caf::actor_system_config& settings) {
  register_message_types(settings);
  return settings;
}

gateway_model describe(const std::shared_ptr<const actors::served_model>& model, std::int64_t now_s) {
  gateway_model result;
  result.name = model->id;
  result.is_alias = [model](std::string_view name) {
    return std::any_of(model->aliases.begin(), model->aliases.end(), [&](const auto& alias) { return actors::matches_alias(alias, name); });
  };
  result.context_length = model->context_tokens_max;
  result.vocabulary_size = model->tokens->size();
  result.block_tokens = model->block_tokens;
  result.created_s = now_s;
  char fingerprint[20];
  std::snprintf(fingerprint, sizeof(fingerprint), "fp_%016llx", static_cast<unsigned long long>(model->fingerprint));
  result.fingerprint = fingerprint;
  result.tokenize = [model](std::string_view text, bool special) {
    return model->tokens->encode(text, {.add_special_tokens = special, .parse_special_tokens = true});
  };
  result.template_input = [model](const turn_request& turn) { return actors::template_input(turn, *model); };
  result.detokenize = [model](const std::vector<token_id>& tokens) {
    return model->tokens->decode(tokens, {.skip_special_tokens = false});
  };
  return result;
}

gateway_options options_of(const actors::config& config, const actors::model_registry& models) {
  gateway_options options;
  options.address = config.gateway.address;
  options.port = config.gateway.port;
  options.io_threads = config.gateway.io_threads;
  options.connections_max = config.gateway.connections_max;
  options.body_bytes_max = config.gateway.body_bytes_max;
  options.stream_bytes_queued_max = config.gateway.stream_bytes_queued_max;
  options.sse_comment_interval = std::chrono::milliseconds(config.gateway.sse_comment_interval_ms);
  options.request_timeout = std::chrono::milliseconds(config.gateway.request_timeout_ms);
  options.uploads_bytes_max = config.gateway.uploads_bytes_max;
  options.conversations_max = config.gateway.conversations_max;
  options.kept_turns_max = config.gateway.kept_turns_max;
  options.kept_turns_bytes_max = config.gateway.kept_turns_bytes_max;
  options.keys = keys_of(config);
  options.tenants = tenants_of(config);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  for (const auto& model : models.list()) options.models.push_back(describe(model, now_s));
  return options;
}

/// What clients may go on from, and the key under which they carry reasoning.
expected<bool> open_responses(const actors::config& config, gateway_options& options) {
  auto seal = store::text_seal::from_file(config.node.data_dir / "cache.key");
  if (!seal) return seal.error();
  options.reasoning_seal = std::move(*seal);
  if (config.responses.count_max == 0) return false;
  const store::response_bounds bounds{config.responses.count_max, config.responses.bytes_max, config.responses.age_s_max};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  auto kept = response_store::open(config.node.data_dir / "responses.journal", bounds,
                                   std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (!kept) return kept.error();
  options.responses = std::move(*kept);
  return true;
}

expected<bool> open_tls(const actors::config& config, gateway_options& options) {
  const auto& gateway = config.gateway;
  if (gateway.tls_certificate.empty()) {
    if (!config.keys.empty() && !actors::is_loopback(gateway.address))
      spdlog::warn("listening on {} without TLS: keys and prompts travel in clear (gateway.tls_certificate)", gateway.address);
    return false;
  }
  auto loaded = tls_identity::load(gateway.tls_certificate, gateway.tls_key);
  if (!loaded) return loaded.error();
  options.tls = std::move(*loaded);
  return true;
}

expected<bool> open_audit(const actors::audit_config& config, gateway_options& options) {
  if (config.file.empty()) return false;
  audit_options audit;
  audit.file = config.file;
  const bool is_full = config.content == "full", is_digest = config.content == "digest";
  audit.style.content = is_full ? audit_content::full : is_digest ? audit_content::digest : audit_content::none;
  audit.style.redact = config.redact;
  audit.style.content_bytes_max = config.content_bytes_max;
  audit.bounds = {config.bytes_max, config.files_max};
  auto opened = audit_log::open(std::move(audit));
  if (!opened) return opened.error();
  options.audit = std::move(*opened);
  return true;
}

}  // namespace

running_node::running_node(const actors::config& config) : settings_(actor_threads(config)), system_(configure(settings_)) {}

expected<std::unique_ptr<running_node>> running_node::start(const actors::config& config) {
  std::error_code error;
  std::filesystem::create_directories(config.node.data_dir, error);
  if (error) return failure{errc::io_failed, "cannot make " + config.node.data_dir.string() + ": " + error.message(), "node.data_dir"};
  auto parts = actors::prepare_node(config);
  if (!parts) return parts.error();
  auto options = options_of(config, *parts->models);
  if (const auto opened = open_responses(config, options); !opened) return opened.error();
  if (const auto opened = open_tls(config, options); !opened) return opened.error();
  if (const auto opened = open_audit(config.audit, options); !opened) return opened.error();
  const auto tls = options.tls;
  std::unique_ptr<running_node> made(new running_node(config));
  const auto local = actors::spawn_node(made->system_, std::move(*parts));
  made->node_ = local;
  caf::actor_cast<caf::strong_actor_ptr>(local)->get()->attach_functor([](const caf::error& why) {
    if (why && why != caf::exit_reason::user_shutdown) kill(getpid(), node_ended_signal);
  });
  const auto shared = config.gateway.io_threads == 0 ? made->settings_.io() : nullptr;
  auto listening = server::start(std::move(options), make_actor_links(made->system_, gateway_node_actor{local}), shared);
  if (!listening) return listening.error();
  made->server_ = std::move(*listening);
  made->tls_ = tls;
  return made;
}

void running_node::reload_tls() {
  if (!tls_) return;
  if (const auto loaded = tls_->reload(); !loaded) return spdlog::error("TLS goes on as it was: {}", loaded.error().message);
  spdlog::info("certificate and key were read again");
}

drain_done running_node::drain(std::chrono::milliseconds within) {
  drained_ = true;
  if (server_) server_->drain();
  drain_done result;
  caf::scoped_actor self{system_};
  self->request(node_, within + drain_slack, drain_request{static_cast<std::uint32_t>(within.count())})
      .receive([&](const drain_done& done) { result = done; },
               [](const caf::error& error) { spdlog::error("the node did not drain: {}", to_failure(error).message); });
  if (server_) server_->wait_until_idle(std::chrono::milliseconds(end_wait));
  return result;
}

running_node::~running_node() {
  if (!drained_) drain(std::chrono::milliseconds(0));
  if (server_) server_->stop();
  caf::anon_send_exit(node_, caf::exit_reason::kill);
  node_ = node_actor{};  // no handle may outlive the system
}

}  // namespace troupe::gateway
