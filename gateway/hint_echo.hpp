// What became of the hints, told to a client that asks: a header on the answer's head, and members behind the last data of its body. Every
// protocol's writer calls the same functions; clients' parsers leave members alone that they do not know.
#pragma once

#include <string>

#include "gateway/answer_writer.hpp"
#include "gateway/hint_reading.hpp"

namespace troupe::gateway {

/// For answer_shape::hints: "applied":{...},"clipped":{...},"ignored":{...}
std::string hint_members(const hint_report& report);
/// applied=sched.priority,cache.retain;clipped=...;ignored=...   Bounded, and of characters that a field may have.
std::string hint_header(const hint_report& report);

/// `,"agent_hints":{"applied":...,"clipped":...,"ignored":...,"cache_miss":...}` when asked for. Into an object that is open and has a member.
void append_agent_hints(std::string& out, const answer_shape& shape, const turn_usage& usage);
/// The same, and OpenAI's own `,"prompt_cache_diagnostics":{"cache_miss":...}` when that was asked for.
void append_openai_hints(std::string& out, const answer_shape& shape, const turn_usage& usage);

}  // namespace troupe::gateway
