// Requests of OpenAI's Responses protocol into turns. Pure: identity, model and ids are the route's, what earlier responses hold is handed
// in. Items and tools that are unknown here never fail a request: they are read as the text they hold, or left out.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>

#include "gateway/client_turn.hpp"
#include "gateway/json_reader.hpp"
#include "gateway/reasoning_seal.hpp"
#include "gateway/responses_tools.hpp"

namespace troupe::gateway {

/// What a response repeats of its request, and how its items are to be written.
struct responses_wish {
  offered_tools tools;
  std::string echo;          ///< members of the response object, comma-separated, without braces
  boost::json::array input;  ///< this request's items as they are stored: each with `type`, messages with parts
  bool store = true;
  bool encrypted_reasoning = false;  ///< include: reasoning.encrypted_content
  bool summarised = false;           ///< reasoning.summary: reasoning is told where this client looks for it
};

struct responses_turn {
  client_turn client;
  responses_wish wish;
};

/// What only the route can look up. Either may be empty: nothing is known.
struct responses_sources {
  boost::json::array history;  ///< items before `input`: those of the previous response and all before it
  std::function<std::optional<boost::json::value>(std::string_view id)> find_item{};
  reasoning_opener open_reasoning{};
  bool can_store = true;
};

expected<responses_turn> read_responses_request(const boost::json::object& body, const responses_sources& sources);
/// Of /v1/responses/input_tokens: the prompt alone.
expected<client_turn> read_input_tokens_request(const boost::json::object& body, const responses_sources& sources);

/// "" when the request names no earlier response.
std::string previous_response_of(const boost::json::object& body);

// Parts, each in a file of its own.
/// responses_items.cpp: reads items one after the other; what one answer was becomes one message again.
void read_items(const boost::json::array& items, const std::string& path, const offered_tools& tools, const responses_sources& sources,
                turn_prompt& prompt, first_failure& failed);
/// responses_echo.cpp: the members that a response repeats, with the API's defaults where the request is silent. Not `store`, of which the
/// server has the last word.
std::string echo_of(const boost::json::object& body);
/// responses_metadata.cpp: refuses what is more or longer than the API takes.
void check_metadata(const json_reader& body);

}  // namespace troupe::gateway
