// Hints and verbs within what their caller may ask for. Whatever is made less is remembered in the report, or in the verb's outcome.
#pragma once

#include "gateway/caller.hpp"
#include "gateway/hint_reading.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::gateway {

void clip_hints(hint_reading& reading, const hint_policy& policy);
/// Sets the marks of the hints in the prompt, and bounds all of its cache breakpoints.
void place_breakpoints(turn_prompt& prompt, hint_reading& reading, const hint_policy& policy);

/// What was changed of `verb`; empty: nothing.
std::string clip_verb(session_verb& verb, const hint_policy& policy);
/// An outcome of a verb that was clipped on its way.
void note_clipped(verb_answer& answer, const std::string& what);

}  // namespace troupe::gateway
