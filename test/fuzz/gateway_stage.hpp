// A model and actors that answer at once, for targets that hand requests to the gateway.
#pragma once

#include "gateway/actor_link.hpp"
#include "gateway/options.hpp"
#include "gateway/strand.hpp"

namespace troupe::fuzz {

/// One model, "small", with tokens that are bytes and the real reading of conversations.
gateway::gateway_options stage_options();

/// What the actors do with a turn.
enum class turn_play : std::uint8_t { text, tool_call, refused, failed, silent, long_text };
constexpr std::uint8_t turn_plays = 6;

/// The events of an answer, in order.
std::vector<gateway::turn_event> events_of(turn_play play, const turn_request& turn);
/// What the actors would say.
gateway::control_answer answer_to(const gateway::control_request& request);

gateway::actor_link_factory scripted_links(turn_play play);

}  // namespace troupe::fuzz
