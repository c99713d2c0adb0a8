#include "gateway/hint_clipping.hpp"

#include <doctest/doctest.h>

#include <boost/json/value.hpp>

using namespace troupe;
using namespace troupe::gateway;

namespace {

const hint_policy modest{.priority_max = 10, .weight_max = 50, .ttl_max = std::chrono::minutes{1}, .deepest_tier = core::tier_level::host};

session_verb verb_of(verb_kind what, std::uint32_t ttl_ms, std::int32_t priority) {
  session_verb verb;
  verb.what = what;
  verb.ttl_ms = ttl_ms;
  verb.priority = priority;
  return verb;
}

}  // namespace

TEST_CASE("hints are clipped to what their caller may ask for, and what was asked is remembered") {
  hint_reading reading;
  reading.take(hint_field::priority, 70, {"p"});
  reading.take(hint_field::tier, 400, {"t"});
  reading.take(hint_field::max_tier, "disk", {"m"});
  reading.hints.retain = {{0, 0, 90, 100'000}, {0, 16, 40, 50}};
  clip_hints(reading, modest);
  CHECK(reading.hints.priority == 10);
  CHECK(reading.hints.tier == 9);
  CHECK(reading.hints.max_tier == core::tier_level::host);
  CHECK(reading.hints.retain == std::vector<retain_range>{{0, 0, 50, 60'000}, {0, 16, 40, 50}});
  CHECK(reading.hints.breakpoint_priority == 50);
  CHECK(reading.report.applied().empty());
  CHECK(reading.report.clipped() == std::vector<hint_report::clipped_hint>{{"sched.priority", "70", "10"},
                                                                           {"sched.tier", "400", "9"},
                                                                           {"cache.retain[0].weight", "90", "50"},
                                                                           {"cache.retain[0].ttl_ms", "100000", "60000"},
                                                                           {"cache.max_tier", "\"disk\"", "\"host\""}});
}

TEST_CASE("a bound that nobody has spoken of holds without a word") {
  hint_reading reading;
  clip_hints(reading, modest);
  CHECK(reading.hints.max_tier == core::tier_level::host);
  CHECK(reading.report.clipped().empty());
}

TEST_CASE("whoever may not go first may not do it as another class or tier") {
  hint_reading reading;
  reading.take(hint_field::urgency, "interactive", {"c"});
  reading.take(hint_field::tier, 2, {"t"});
  reading.take(hint_field::priority, 5, {"p"});
  clip_hints(reading, {.priority_max = 0});
  CHECK(reading.hints.urgency == work_class::normal);
  CHECK(reading.hints.tier == 0);
  CHECK(reading.hints.priority == 0);
  hint_reading modestly;
  modestly.take(hint_field::urgency, "background", {"c"});
  modestly.take(hint_field::priority, -5, {"p"});
  clip_hints(modestly, {.priority_max = 0});
  CHECK(modestly.hints.urgency == work_class::background);
  CHECK(modestly.hints.priority == -5);
}

TEST_CASE("marks become breakpoints of the prompt, and no breakpoint outlasts the policy") {
  turn_prompt prompt;
  prompt.messages = {{chat_role::user, {{chat_block::kind::text, "a", {}, {}}, {chat_block::kind::text, "b", {}, {}, 3'600'000}}}};
  hint_reading reading;
  reading.marks = {{0, 0, 500}, {4, 0, 500}};
  place_breakpoints(prompt, reading, modest);
  CHECK(prompt.messages[0].blocks[0].cache_ttl_ms == 500);
  CHECK(prompt.messages[0].blocks[1].cache_ttl_ms == 60'000);
  CHECK(reading.report.applied() == std::vector<hint_report::applied_hint>{{"cache.breakpoints", "2"}});
  CHECK(reading.report.clipped() == std::vector<hint_report::clipped_hint>{{"cache.breakpoints.ttl_ms", "3600000", "60000"}});
  CHECK(reading.report.ignored() ==
        std::vector<hint_report::ignored_hint>{{"cache.retain.at.message", "there is no message 4 in the prompt"}});
}

TEST_CASE("verbs are clipped too: a pin without the right to one retains") {
  auto pin = verb_of(verb_kind::pin, 90'000, -1);
  CHECK(clip_verb(pin, modest) == "at most 60000 ms, retained with weight 50 instead of pinned");
  CHECK(pin == verb_of(verb_kind::retain, 60'000, 50));
  auto retain = verb_of(verb_kind::retain, 5, 80);
  CHECK(clip_verb(retain, modest) == "weight at most 50");
  auto fine = verb_of(verb_kind::retain, 5, 20);
  CHECK(clip_verb(fine, modest) == "");
  auto unbounded = verb_of(verb_kind::pin, 3'600'000, -1);
  CHECK(clip_verb(unbounded, {}) == "");
  verb_answer answer{"e", verb_outcome::accepted, "done", 0};
  note_clipped(answer, "at most 1 ms");
  CHECK(answer == verb_answer{"e", verb_outcome::clipped, "at most 1 ms; done", 0});
  verb_answer missing{"e", verb_outcome::missing, "dead", 0};
  note_clipped(missing, "at most 1 ms");
  CHECK(missing.outcome == verb_outcome::missing);
}
