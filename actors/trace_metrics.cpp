#include "actors/trace_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "messages/base/errc.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::actors {
namespace {

using names = std::set<std::string>;

std::string bounded(const names& known, const std::string& value) { return known.contains(value) ? value : "other"; }

names endings() {
  names known{"stop", "length", "tool_calls"};
  for (std::size_t code = 1; code < errc_count; ++code) known.emplace(describe(static_cast<errc>(code)).name);
  return known;
}

template <class Value>
names names_until_unknown() {
  names known;
  for (std::uint8_t index = 0; to_string(static_cast<Value>(index)) != "unknown"; ++index)
    known.emplace(to_string(static_cast<Value>(index)));
  return known;
}

/// The prompt that is computed ahead is no verb, but it is told of in the same way.
names verbs_counted() {
  auto known = names_until_unknown<verb_kind>();
  known.insert({"dormant", "speculate"});
  return known;
}

names outcomes_counted() {
  auto known = names_until_unknown<verb_outcome>();
  known.insert({"useful", "wasted"});
  return known;
}

prometheus::Family<prometheus::Counter>& counter(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& histogram(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

// Seconds, about 2.5 apart: from a cached prompt on a small model to the default deadline of a turn.
const prometheus::Histogram::BucketBoundaries seconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                      1,     2.5,    5,     10,   25,    60,   150, 300,  600};

/// What every turn counts, found once: looking a metric up by its labels costs more than counting.
struct model_metrics {
  std::string name;
  prometheus::Counter &prompt, &cached, &output;
  prometheus::Histogram &queue, &whole;
  prometheus::Histogram* first = nullptr;               ///< since the first answer
  std::map<std::string, prometheus::Counter*> turns{};  ///< by how they ended
};

}  // namespace

struct trace_metrics::state {
  model_metrics& of(const std::string& model) {
    const auto name = bounded(models, model);
    if (const auto found = by_model.find(name); found != by_model.end()) return found->second;
    const prometheus::Labels label{{"model", name}};
    return by_model
        .emplace(name, model_metrics{name, prompt.Add(label), cached.Add(label), output.Add(label), queue.Add(label, seconds), whole.Add(label, seconds)})
        .first->second;
  }
  prometheus::Counter& ended(model_metrics& model, const std::string& ended_how) {
    const auto how = bounded(hows, ended_how);
    auto& counter = model.turns[how];
    if (counter == nullptr) counter = &turns.Add({{"model", model.name}, {"how", how}});
    return *counter;
  }

  std::map<std::string, model_metrics> by_model;
  names models, hows = endings(), verbs = verbs_counted(), outcomes = outcomes_counted();
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& turns = counter(registry, "troupe_turns_total", "Turns by how they ended.");
  prometheus::Family<prometheus::Counter>& prompt = counter(registry, "troupe_prompt_tokens_total", "Prompt tokens of all turns.");
  prometheus::Family<prometheus::Counter>& cached =
      counter(registry, "troupe_cached_tokens_total", "Prompt tokens that were taken from cache.");
  prometheus::Family<prometheus::Counter>& misses =
      counter(registry, "troupe_cache_misses_total", "Turns that found less in caches than their session had left there, by what ended it.");
  prometheus::Family<prometheus::Counter>& missed =
      counter(registry, "troupe_cache_missed_tokens_total", "Prompt tokens that these turns computed again.");
  prometheus::Family<prometheus::Counter>& output = counter(registry, "troupe_output_tokens_total", "Tokens generated.");
  prometheus::Family<prometheus::Histogram>& queue =
      histogram(registry, "troupe_queue_seconds", "From receipt until a worker takes the turn.");
  prometheus::Family<prometheus::Histogram>& first =
      histogram(registry, "troupe_first_token_seconds", "From receipt until the first token.");
  prometheus::Family<prometheus::Histogram>& whole = histogram(registry, "troupe_turn_seconds", "From receipt until the end.");
  prometheus::Family<prometheus::Counter>& lifecycle = counter(registry, "troupe_lifecycle_verbs_total", "Lifecycle verbs by outcome.");
  prometheus::Family<prometheus::Histogram>& pauses = histogram(registry, "troupe_tool_pause_seconds", "Length of tool pauses.");
  prometheus::Family<prometheus::Counter>& forecasts = counter(
      registry, "troupe_pause_forecasts_total", "Tool pauses by where they ended: before, within or after the forecast's 10 to 90 %.");
  prometheus::Histogram& forecast_error =
      histogram(registry, "troupe_pause_forecast_error_log2", "How far pauses were from their forecast's median, in powers of two.")
          .Add({}, prometheus::Histogram::BucketBoundaries{0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8});
  prometheus::Family<prometheus::Counter>& prefetches =
      counter(registry, "troupe_prefetches_total", "Prefetches for the end of a tool pause that had something to bring, by what became of them.");
  prometheus::Counter& prefetched = counter(registry, "troupe_prefetched_blocks_total", "Blocks that these prefetches brought.").Add({});
  prometheus::Counter& freed =
      counter(registry, "troupe_blocks_freed_by_death_total", "Blocks freed when a session died or was compacted.").Add({});
};

trace_metrics::trace_metrics(const std::vector<model_id>& models) : state_{std::make_unique<state>()} {
  for (const auto& model : models) state_->models.insert(model.value);
}

trace_metrics::~trace_metrics() = default;

void trace_metrics::count(const turn_record& record) {
  auto& s = *state_;
  auto& model = s.of(record.model.value);
  s.ended(model, record.how).Increment();
  model.prompt.Increment(record.prompt_tokens);
  model.cached.Increment(record.cached_tokens);
  model.output.Increment(record.output_tokens);
  if (record.miss.reason != cache_miss_reason::none) {
    const prometheus::Labels why{{"model", model.name}, {"reason", std::string{to_string(record.miss.reason)}}};
    s.misses.Add(why).Increment();
    s.missed.Add(why).Increment(record.miss.tokens);
  }
  model.queue.Observe(record.queue_s);
  if (record.output_tokens > 0) {
    if (model.first == nullptr) model.first = &s.first.Add({{"model", model.name}}, seconds);
    model.first->Observe(record.first_token_s);
  }
  model.whole.Observe(record.total_s);
}

void trace_metrics::count(const lifecycle_record& record) {
  auto& s = *state_;
  s.lifecycle.Add({{"verb", bounded(s.verbs, record.verb)}, {"outcome", bounded(s.outcomes, record.outcome)}}).Increment();
  s.freed.Increment(record.blocks_freed);
}

void trace_metrics::count(const pause_record& record) {
  auto& s = *state_;
  const auto took = static_cast<double>(record.took_ms);
  if (record.took_ms >= 0) s.pauses.Add({}, seconds).Observe(took / 1000);
  if (record.took_ms >= 0 && record.median_ms >= 0) {
    const char* where = record.took_ms < record.early_ms ? "before" : record.took_ms > record.late_ms ? "after" : "within";
    s.forecasts.Add({{"ended", where}}).Increment();
    s.forecast_error.Observe(std::abs(std::log2((took + 1) / (static_cast<double>(record.median_ms) + 1))));
  }
  if (record.prefetch != prefetch_end::none) s.prefetches.Add({{"end", std::string{to_string(record.prefetch)}}}).Increment();
  s.prefetched.Increment(record.blocks_prefetched);
}

std::string trace_metrics::text(std::uint64_t lines_lost) const {
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, state_->registry.Collect());
  text << "# HELP troupe_trace_lines_lost_total Records that the trace file did not take.\n"
       << "# TYPE troupe_trace_lines_lost_total counter\ntroupe_trace_lines_lost_total " << lines_lost << "\n";
  return text.str();
}

}  // namespace troupe::actors
