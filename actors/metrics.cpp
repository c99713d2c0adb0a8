#include "actors/metrics.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "engine/core/block_role.hpp"

namespace troupe::actors {
namespace {

template <class Status>
struct family {
  std::string_view name, type, help;
  std::uint64_t (*value)(const Status&);
};

constexpr std::array<family<worker_status>, 20> worker_families{{
    {"troupe_worker_blocks", "gauge", "Blocks of the worker's pool.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_total; }},
    {"troupe_worker_blocks_free", "gauge", "Blocks without content.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_free; }},
    {"troupe_worker_blocks_leased", "gauge", "Blocks in use by sequences.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_leased; }},
    {"troupe_worker_blocks_cached", "gauge", "Blocks kept under their hash.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_cached; }},
    {"troupe_worker_blocks_pinned", "gauge", "Blocks that sessions have pinned.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_pinned; }},
    {"troupe_worker_running", "gauge", "Sequences in the batch.", [](const worker_status& w) -> std::uint64_t { return w.running; }},
    {"troupe_worker_waiting", "gauge", "Sequences in the queue.", [](const worker_status& w) -> std::uint64_t { return w.waiting; }},
    {"troupe_worker_sessions_waiting", "gauge", "Turns of sessions that own nothing here yet and wait for room beside those at work.",
     [](const worker_status& w) -> std::uint64_t { return w.sessions_waiting; }},
    {"troupe_worker_blocks_stored_total", "counter", "Blocks that were cached.", [](const worker_status& w) { return w.blocks_stored; }},
    {"troupe_worker_hash_mismatches_total", "counter", "Equal hashes of unequal tokens.",
     [](const worker_status& w) { return w.hash_mismatches; }},
    {"troupe_worker_steps_total", "counter", "Steps completed.", [](const worker_status& w) { return w.steps; }},
    {"troupe_worker_preemptions_total", "counter", "Sequences preempted.", [](const worker_status& w) { return w.preemptions; }},
    {"troupe_worker_tokens_computed_total", "counter", "Prompt and output tokens computed.",
     [](const worker_status& w) { return w.tokens_computed; }},
    {"troupe_worker_tokens_reused_total", "counter", "Prompt tokens taken from cache.",
     [](const worker_status& w) { return w.tokens_reused; }},
    {"troupe_worker_tokens_sampled_total", "counter", "Tokens sampled.", [](const worker_status& w) { return w.tokens_sampled; }},
    {"troupe_worker_blocks_onboarded_total", "counter", "Blocks copied from the tier below.",
     [](const worker_status& w) { return w.blocks_onboarded; }},
    {"troupe_worker_blocks_offloaded_total", "counter", "Blocks copied to the tier below.",
     [](const worker_status& w) { return w.blocks_offloaded; }},
    {"troupe_worker_blocks_recomputed_total", "counter", "Blocks computed because copying them would have taken longer.",
     [](const worker_status& w) { return w.blocks_recomputed; }},
    {"troupe_worker_blocks_inherited_total", "counter", "Blocks that a dead session left to its parent.",
     [](const worker_status& w) { return w.blocks_inherited; }},
    {"troupe_worker_transfer_failures_total", "counter", "Copies between tiers that failed.",
     [](const worker_status& w) { return w.transfer_failures; }},
}};

constexpr std::array<family<tier_status>, 13> tier_families{{
    {"troupe_tier_blocks", "gauge", "Blocks that the tier has room for.", [](const tier_status& t) -> std::uint64_t { return t.blocks_total; }},
    {"troupe_tier_blocks_cached", "gauge", "Blocks kept under their hash.", [](const tier_status& t) -> std::uint64_t { return t.blocks_cached; }},
    {"troupe_tier_blocks_pinned", "gauge", "Blocks that sessions have pinned.",
     [](const tier_status& t) -> std::uint64_t { return t.blocks_pinned; }},
    {"troupe_tier_blocks_leased", "gauge", "Blocks that are being written or read.",
     [](const tier_status& t) -> std::uint64_t { return t.blocks_leased; }},
    {"troupe_tier_bytes", "gauge", "Bytes of these blocks.", [](const tier_status& t) { return t.bytes_total; }},
    {"troupe_tier_blocks_stored_total", "counter", "Blocks that were written.", [](const tier_status& t) { return t.blocks_stored; }},
    {"troupe_tier_blocks_read_total", "counter", "Blocks handed to workers.", [](const tier_status& t) { return t.blocks_read; }},
    {"troupe_tier_blocks_refused_total", "counter", "Blocks offered for which there was no place.",
     [](const tier_status& t) { return t.blocks_refused; }},
    {"troupe_tier_blocks_failed_total", "counter", "Blocks that were damaged, unreachable, or asked of a store that did not answer.",
     [](const tier_status& t) { return t.blocks_failed; }},
    {"troupe_tier_blocks_recomputed_total", "counter", "Blocks that a store had, but that were computed faster.",
     [](const tier_status& t) { return t.blocks_recomputed; }},
    {"troupe_tier_blocks_clipped_total", "counter", "Blocks of a disk that could not be pinned: the share for pins was full.",
     [](const tier_status& t) { return t.blocks_clipped; }},
    {"troupe_tier_blocks_given_up_total", "counter", "Blocks of puts that a store did not finish in time.",
     [](const tier_status& t) { return t.blocks_given_up; }},
    {"troupe_tier_hash_mismatches_total", "counter", "Equal hashes of unequal tokens.", [](const tier_status& t) { return t.hash_mismatches; }},
}};

void open_family(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void add_sample(std::string& text, std::string_view name, const std::string& labels, std::uint64_t value) {
  text.append(name).append(labels).append(" ").append(std::to_string(value)).append("\n");
}

void add_single(std::string& text, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  open_family(text, name, type, help);
  add_sample(text, name, {}, value);
}

std::string labels_of(const worker_status& worker) {
  return "{worker=\"" + std::to_string(worker.worker.value) + "\",model=\"" + escape_label(worker.model.value) + "\"}";
}

std::string labels_of(const tier_status& tier) {
  return "{tier=\"" + escape_label(tier.kind) + "\",model=\"" + escape_label(tier.model.value) + "\"}";
}

template <class Families, class Status>
void add_families(std::string& text, const Families& families, const std::vector<Status>& all) {
  if (all.empty()) return;
  for (const auto& each : families) {
    open_family(text, each.name, each.type, each.help);
    for (const auto& status : all) add_sample(text, each.name, labels_of(status), each.value(status));
  }
}

/// Each removed block by its cause.
template <class Status>
void add_removals(std::string& text, std::string_view name, const std::vector<Status>& all) {
  if (all.empty()) return;
  open_family(text, name, "counter", "Blocks that left, by cause.");
  for (const auto& status : all)
    for (std::size_t at = 0; at < core::eviction_causes; ++at) {
      const auto cause = static_cast<core::eviction_cause>(at);
      auto labels = labels_of(status);
      labels.insert(labels.size() - 1, ",cause=\"" + std::string{to_string(cause)} + "\"");
      add_sample(text, name, labels, removed_by(status.blocks_removed, cause));
    }
}

void add_session_waits(std::string& text, const std::vector<worker_status>& all) {
  constexpr std::string_view name = "troupe_worker_session_waits_total";
  if (all.empty()) return;
  open_family(text, name, "counter", "Waits of new sessions, by what ended them.");
  for (const auto& status : all)
    for (const auto& [end, value] : {std::pair{"room", status.session_waits_by_room}, std::pair{"bound", status.session_waits_by_bound}}) {
      auto labels = labels_of(status);
      labels.insert(labels.size() - 1, std::string{",end=\""} + end + "\"");
      add_sample(text, name, labels, value);
    }
}

/// Cached blocks by what they hold; nothing of a tier that does not know.
template <class Status>
void add_roles(std::string& text, std::string_view name, const std::vector<Status>& all) {
  if (all.empty()) return;
  open_family(text, name, "gauge", "Cached blocks by what they hold.");
  for (const auto& status : all)
    for (std::size_t at = 0; at < std::min(status.blocks_by_role.size(), core::block_roles); ++at) {
      auto labels = labels_of(status);
      labels.insert(labels.size() - 1, ",role=\"" + std::string{to_string(static_cast<core::block_role>(at))} + "\"");
      add_sample(text, name, labels, status.blocks_by_role[at]);
    }
}

/// Blocks by tenant; nothing where tenants are not counted.
template <class Status>
void add_tenants(std::string& text, std::string_view name, const std::vector<Status>& all) {
  if (std::ranges::all_of(all, [](const Status& each) { return each.tenants.empty(); })) return;
  open_family(text, name, "gauge", "Blocks that hold or will hold what a tenant computed.");
  for (const auto& status : all)
    for (std::size_t at = 0; at < std::min(status.tenants.size(), status.blocks_by_tenant.size()); ++at) {
      auto labels = labels_of(status);
      labels.insert(labels.size() - 1, ",tenant=\"" + escape_label(status.tenants[at]) + "\"");
      add_sample(text, name, labels, status.blocks_by_tenant[at]);
    }
}

}  // namespace

std::string escape_label(std::string_view value) {
  std::string escaped;
  for (char each : value) {
    if (each == '\\' || each == '"') escaped.push_back('\\');
    if (each == '\n') {
      escaped.append("\\n");
    } else {
      escaped.push_back(each);
    }
  }
  return escaped;
}

std::string render_gauges(const std::vector<worker_status>& workers, const std::vector<tier_status>& tiers, const node_gauges& node) {
  std::string text;
  add_families(text, worker_families, workers);
  add_families(text, tier_families, tiers);
  add_removals(text, "troupe_worker_blocks_removed_total", workers);
  add_session_waits(text, workers);
  add_removals(text, "troupe_tier_blocks_removed_total", tiers);
  add_roles(text, "troupe_worker_blocks_by_role", workers);
  add_roles(text, "troupe_tier_blocks_by_role", tiers);
  add_tenants(text, "troupe_worker_blocks_by_tenant", workers);
  add_tenants(text, "troupe_tier_blocks_by_tenant", tiers);
  open_family(text, "troupe_sessions", "gauge", "Sessions by state.");
  for (const auto& [state, count] : node.sessions)
    add_sample(text, "troupe_sessions", "{state=\"" + std::string{to_string(state)} + "\"}", count);
  add_single(text, "troupe_turns_running", "gauge", "Turns that have not ended.", node.turns_running);
  add_single(text, "troupe_restarts_total", "counter", "Actors restarted by their supervisor.", node.restarts);
  add_single(text, "troupe_unexpected_messages_total", "counter", "Messages that no handler took.", node.unexpected_messages);
  return text;
}

}  // namespace troupe::actors
