// OpenAI requests into turns: JSON in, one internal representation out. Pure: identity, model and ids are the route's.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/client_turn.hpp"
#include "gateway/json_reader.hpp"

namespace troupe::gateway {

expected<client_turn> read_chat_request(const boost::json::object& body);
expected<client_turn> read_completion_request(const boost::json::object& body);
/// Token ids of a prompt or a stop list that this vocabulary does not have; 0 checks nothing.
expected<std::uint32_t> check_token_ids(const turn_request& turn, std::uint32_t vocabulary_size);

// Parts, each in a file of its own.
/// openai_messages.cpp: `messages`, `tools`, `tool_choice`.
void read_conversation(const json_reader& body, turn_request& turn);
/// openai_sampling.cpp: everything that both endpoints share.
void read_sampling(const json_reader& body, turn_request& turn);
/// A string or an array of strings under `key`, each of which ends the answer.
void read_stop_strings(const json_reader& body, std::string_view key, turn_request& turn);
void read_answer_wish(const json_reader& body, answer_wish& wish);
void refuse_unoffered(const json_reader& body);
/// An array of token ids, 0 and above.
void read_token_ids(const boost::json::array& array, const std::string& path, std::vector<token_id>& out, first_failure& failed);

}  // namespace troupe::gateway
