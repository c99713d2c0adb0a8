#include "actors/metrics.hpp"

#include <array>
#include <functional>
#include <string_view>

namespace troupe::actors {
namespace {

struct worker_family {
  std::string_view name, type, help;
  std::uint64_t (*value)(const worker_status&);
};

constexpr std::array<worker_family, 15> worker_families{{
    {"troupe_worker_blocks", "gauge", "Blocks of the worker's pool.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_total; }},
    {"troupe_worker_blocks_free", "gauge", "Blocks without content.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_free; }},
    {"troupe_worker_blocks_leased", "gauge", "Blocks in use by sequences.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_leased; }},
    {"troupe_worker_blocks_cached", "gauge", "Blocks kept under their hash.",
     [](const worker_status& w) -> std::uint64_t { return w.blocks_cached; }},
    {"troupe_worker_running", "gauge", "Sequences in the batch.", [](const worker_status& w) -> std::uint64_t { return w.running; }},
    {"troupe_worker_waiting", "gauge", "Sequences in the queue.", [](const worker_status& w) -> std::uint64_t { return w.waiting; }},
    {"troupe_worker_blocks_stored_total", "counter", "Blocks that were cached.", [](const worker_status& w) { return w.blocks_stored; }},
    {"troupe_worker_blocks_evicted_total", "counter", "Blocks that left for others.",
     [](const worker_status& w) { return w.blocks_evicted; }},
    {"troupe_worker_blocks_freed_by_death_total", "counter", "Blocks freed because their owners died.",
     [](const worker_status& w) { return w.blocks_freed_by_death; }},
    {"troupe_worker_hash_mismatches_total", "counter", "Equal hashes of unequal tokens.",
     [](const worker_status& w) { return w.hash_mismatches; }},
    {"troupe_worker_steps_total", "counter", "Steps completed.", [](const worker_status& w) { return w.steps; }},
    {"troupe_worker_preemptions_total", "counter", "Sequences preempted.", [](const worker_status& w) { return w.preemptions; }},
    {"troupe_worker_tokens_computed_total", "counter", "Prompt and output tokens computed.",
     [](const worker_status& w) { return w.tokens_computed; }},
    {"troupe_worker_tokens_reused_total", "counter", "Prompt tokens taken from cache.",
     [](const worker_status& w) { return w.tokens_reused; }},
    {"troupe_worker_tokens_sampled_total", "counter", "Tokens sampled.", [](const worker_status& w) { return w.tokens_sampled; }},
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

std::string render_gauges(const std::vector<worker_status>& workers, const node_gauges& node) {
  std::string text;
  for (const auto& family : worker_families) {
    if (workers.empty()) break;
    open_family(text, family.name, family.type, family.help);
    for (const auto& worker : workers) add_sample(text, family.name, labels_of(worker), family.value(worker));
  }
  open_family(text, "troupe_sessions", "gauge", "Sessions by state.");
  for (const auto& [state, count] : node.sessions)
    add_sample(text, "troupe_sessions", "{state=\"" + std::string{to_string(state)} + "\"}", count);
  add_single(text, "troupe_turns_running", "gauge", "Turns that have not ended.", node.turns_running);
  add_single(text, "troupe_restarts_total", "counter", "Actors restarted by their supervisor.", node.restarts);
  add_single(text, "troupe_unexpected_messages_total", "counter", "Messages that no handler took.", node.unexpected_messages);
  return text;
}

}  // namespace troupe::actors
