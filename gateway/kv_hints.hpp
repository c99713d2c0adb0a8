// The envelope in which routers of other engines tell what shall happen to cached blocks: a message of actions, each of which is a verb for one
// session here. What cannot be done is an outcome of its action, never an error of the message.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "gateway/hint_clipping.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::gateway {

struct kv_action {
  std::string id, type;
  session_verb verb;
  std::string clipped;   ///< what was made less of it
  std::string rejected;  ///< why it is no verb; then nobody is asked
};

struct kv_message {
  std::string id;
  std::vector<kv_action> actions;
};

/// {"protocol_version": "0.1", "message_id", "actions": [{"action_id", "action_type", "action_version", "payload"}]}. A message without its
/// ids, or with one of a wrong type, is an invalid_request. A verb's id is made of both ids: what comes twice is done once.
expected<kv_message> read_kv_message(const boost::json::object& body, const hint_policy& policy);
/// {"protocol_version", "message_id", "outcomes": [{"action_id", "outcome", "detail"?}]}; `answers` are of the actions that were asked.
std::string kv_outcomes(const kv_message& message, const std::vector<verb_answer>& answers);

}  // namespace troupe::gateway
