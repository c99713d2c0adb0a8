// Weights are loaded once per model and only for models that some worker computes: a node of timing workers reads tokenizers alone.
#include "actors/node_parts.hpp"

#include <chrono>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "actors/backend_setup.hpp"
#include "actors/node_secret.hpp"
#include "actors/real_timer.hpp"
#include "actors/register.hpp"
#include "actors/template_renderer_jinja.hpp"
#include "actors/tenant_table.hpp"
#include "engine/core/cpu/usable_cores.hpp"

namespace troupe::actors {
namespace {

using std::chrono::milliseconds;

struct loaded_model {
  std::shared_ptr<const served_model> served;
  std::shared_ptr<const core::model> weights;
};

bool is_computed(const config& settings, const std::string& model) {
  for (const auto& worker : settings.workers)
    if (worker.model == model && worker.backend != "timing") return true;
  return false;
}

/// All workers of a model cut their sequences alike, or their blocks could not be shared.
expected<std::uint32_t> block_tokens_of(const config& settings, const std::string& model) {
  std::uint32_t tokens = 0;
  for (std::size_t i = 0; i < settings.workers.size(); ++i) {
    const auto& worker = settings.workers[i];
    if (worker.model != model) continue;
    if (tokens != 0 && tokens != worker.block_tokens)
      return failure{errc::invalid_request, "workers of one model differ in block_tokens",
                     "worker[" + std::to_string(i) + "].block_tokens"};
    tokens = worker.block_tokens;
  }
  return tokens == 0 ? core::block_pool_options{}.block_tokens : tokens;
}

expected<loaded_model> load(const config& settings, const model_config& wanted, std::uint64_t secret) {
  auto block_tokens = block_tokens_of(settings, wanted.name);
  if (!block_tokens) return block_tokens.error();
  loaded_model loaded;
  auto fingerprint = std::uint64_t{XXH3_64bits(wanted.name.data(), wanted.name.size())};
  if (is_computed(settings, wanted.name)) {
    std::optional<core::numeric_type> type;  // none: the checkpoint's
    if (wanted.dtype == "f32") type = core::numeric_type::f32;
    if (wanted.dtype == "bf16") type = core::numeric_type::bf16;
    auto weights = core::load_model(wanted.path, type);
    if (!weights) return weights.error();
    loaded.weights = *weights;
    fingerprint = loaded.weights->fingerprint;
  }
  served_model_options options;
  options.id = {wanted.name};
  options.aliases = wanted.aliases;
  options.secret = secret;
  options.fingerprint = fingerprint;
  options.block_tokens = *block_tokens;
  options.context_tokens_max = wanted.context_tokens_max;
  options.chat_template = wanted.chat_template;
  options.tool_format = wanted.tool_format;
  options.merge_same_role = wanted.merge_same_role;
  options.volatile_text = wanted.volatile_text;
  auto served = load_served_model(wanted.path, std::move(options));
  if (!served) return served.error();
  loaded.served = *served;
  return loaded;
}

std::uint32_t compute_threads(const config& settings) {
  return settings.node.compute_threads != 0 ? settings.node.compute_threads : core::usable_cores();
}

std::optional<failure> add_workers(const config& settings, const std::vector<loaded_model>& models, node_parts& parts) {
  const backend_commons commons{std::make_shared<core::compute_pool>(compute_threads(settings)), std::make_shared<real_timer>()};
  std::uint32_t next = 1;
  for (std::size_t i = 0; i < settings.workers.size(); ++i) {
    const auto& config = settings.workers[i];
    const auto serves = [&](const loaded_model& each) { return each.served->id.value == config.model; };
    const auto model = std::find_if(models.begin(), models.end(), serves);
    const auto path = "worker[" + std::to_string(i) + "]";
    if (model == models.end()) return failure{errc::invalid_request, "no model is named " + config.model, path + ".model"};
    for (std::uint32_t copy = 0; copy < config.count; ++copy) {
      auto setup = make_worker_setup(config, worker_id{next++}, *model->served, model->weights, commons);
      if (!setup) return setup.error();
      setup->device.pool.retention = settings.retention.policy;
      setup->device.pool.pinned_share_max = settings.retention.pinned_share_max;
      setup->device.pool.tenants = tenant_shares_of(settings);
      setup->device.admission.wait_max = milliseconds{settings.admission.session_wait_ms_max};
      parts.workers.push_back(std::move(*setup));
    }
  }
  return std::nullopt;
}

/// What added to the actors' clock gives Unix time. Taken once: a behaviour reads no wall clock.
std::int64_t unix_offset_ms() {
  const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
  const auto steady_time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(unix_time).count() - std::chrono::duration_cast<milliseconds>(steady_time).count();
}

void add_services(const config& settings, const std::vector<loaded_model>& models, node_parts& parts) {
  std::vector<model_template> templates;
  for (const auto& model : models) {
    parts.trace.models.push_back(model.served->id);
    if (!model.served->chat_template.empty()) templates.push_back({model.served->id, model.served->chat_template});
  }
  parts.trace.path = settings.trace.file.string();
  text::render_limits bounds{milliseconds{settings.chat_template.time_ms}, settings.chat_template.output_bytes_max};
  parts.renderer.make = jinja_renderer(std::move(templates), bounds);
  parts.renderer.waiting_max = settings.chat_template.waiting_max;
  parts.router.queue.waiting_max = settings.router.routes_waiting_max;
  parts.directory.models = parts.models;
  for (const auto& each : tenant_shares_of(settings)) parts.directory.tenants.push_back(each.name);
  parts.directory.journal = settings.node.data_dir / "sessions.journal";
  parts.directory.idle_ttl = std::chrono::seconds{settings.session.idle_ttl_s};
  parts.directory.sessions_max = settings.session.sessions_max;
  parts.directory.turns_per_session_max = settings.session.turns_per_session_max;
  parts.directory.unix_offset_ms = unix_offset_ms();
}

}  // namespace

expected<node_parts> prepare_node(const config& settings) {
  node_parts parts;
  behaviour_registry behaviours;
  register_behaviours(behaviours);
  auto router = behaviours.routers.find(settings.router.behaviour);
  if (!router) return router.error();
  parts.make_router = *router;
  auto secret = cache_secret(settings.node.data_dir / "cache.key");
  if (!secret) return secret.error();
  std::vector<loaded_model> models;
  std::vector<std::shared_ptr<const served_model>> served;
  for (const auto& wanted : settings.models) {
    auto model = load(settings, wanted, *secret);
    if (!model) return model.error();
    served.push_back(model->served);
    models.push_back(std::move(*model));
  }
  parts.models = std::make_shared<model_registry>(std::move(served));
  if (auto error = add_workers(settings, models, parts)) return *error;
  auto tiers = make_tier_setups(settings, parts.workers, *parts.models, unix_offset_ms());
  if (!tiers) return tiers.error();
  parts.tiers = *std::move(tiers);
  add_services(settings, models, parts);
  return parts;
}

}  // namespace troupe::actors
