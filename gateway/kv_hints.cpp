#include "gateway/kv_hints.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <chrono>

#include "gateway/identity.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

constexpr std::string_view protocol = "0.1";
constexpr std::array kinds{verb_kind::prefetch, verb_kind::demote, verb_kind::pin, verb_kind::retain, verb_kind::release};

void read_id(const json_reader& reader, std::string_view key, std::string& id) {
  // Half of a verb's id: two of them and what is between them fit.
  if (!reader.read(key, id) || id.empty() || id.size() >= limits::verb_id_bytes_max / 2)
    reader.refuse(key, "must be a string of 1 to " + std::to_string(limits::verb_id_bytes_max / 2 - 1) + " bytes");
}

bool is_first_version(const json::value* version) {
  if (version == nullptr) return true;
  if (const auto* text = version->if_string()) return *text == "0.1" || *text == "1" || *text == "1.0";
  return version->is_number() && (version->to_number<double>() == 1 || version->to_number<double>() == 0.1);
}

/// Reads what the payload says into the verb; whatever is wrong there is the action's own matter.
std::string read_payload(const json_reader& payload, session_verb& verb) {
  if (payload.find("block_hashes") != nullptr || payload.find("blocks") != nullptr)
    return "blocks have no names outside: give a session, and a token range for pin and retain";
  if (!payload.read("session", verb.session.value)) payload.read("session_id", verb.session.value);
  verb.ttl_ms = static_cast<std::uint32_t>(std::chrono::milliseconds{limits::wish_ttl}.count());
  if (!payload.read("ttl_ms", verb.ttl_ms, {})) payload.read("lease_ms", verb.ttl_ms, {});
  if (!payload.read("weight", verb.priority, {.min = 0})) payload.read("priority", verb.priority, {.min = 0});
  if (!payload.read("token_begin", verb.token_begin, {})) payload.read("token_start", verb.token_begin, {});
  payload.read("token_end", verb.token_end, {});
  if (payload.failed().any()) return payload.failed().get().message;
  const auto why = check_session_id(verb.session.value);
  return why.empty() ? why : "the payload's session " + why;
}

kv_action read_action(const json_reader& reader, const std::string& message_id, const hint_policy& policy) {
  kv_action action;
  read_id(reader, "action_id", action.id);
  if (!reader.read("action_type", action.type)) reader.refuse("action_type", "is missing");
  action.verb.id = message_id + "/" + action.id;
  const bool is_known = from_string(action.type, action.verb.what) && std::ranges::find(kinds, action.verb.what) != kinds.end();
  const auto* payload = reader.object("payload");
  if (!is_known)
    action.rejected = "there is no action " + action.type.substr(0, 64) + " here: prefetch, demote, pin, retain and release are known";
  else if (!is_first_version(reader.find("action_version")))
    action.rejected = "this version of the action is not known";
  else if (payload == nullptr)
    action.rejected = "the payload is missing";
  if (!action.rejected.empty()) return action;
  first_failure wrong;
  action.rejected = read_payload(json_reader(*payload, "payload", wrong), action.verb);
  if (action.rejected.empty()) action.clipped = clip_verb(action.verb, policy);
  return action;
}

}  // namespace

expected<kv_message> read_kv_message(const json::object& body, const hint_policy& policy) {
  first_failure failed;
  const json_reader reader(body, "", failed);
  kv_message message;
  std::string version;
  read_id(reader, "message_id", message.id);
  if (!reader.read("protocol_version", version)) reader.refuse("protocol_version", "is missing");
  const auto* actions = reader.array("actions");
  if (actions == nullptr) reader.refuse("actions", "is missing");
  if (actions != nullptr && actions->size() > limits::kv_actions_max)
    reader.refuse("actions", "must have at most " + std::to_string(limits::kv_actions_max) + " entries");
  for (std::size_t i = 0; !failed.any() && i < actions->size(); ++i) {
    const auto path = index_path("actions", i);
    const auto* action = (*actions)[i].if_object();
    if (action == nullptr) {
      refuse_type(failed, path, "an object");
      break;
    }
    auto& read = message.actions.emplace_back(read_action(json_reader(*action, path, failed), message.id, policy));
    if (version != protocol) read.rejected = "protocol version " + version.substr(0, 64) + " is not known here: 0.1 is";
  }
  if (failed.any()) return failed.get();
  return message;
}

std::string kv_outcomes(const kv_message& message, const std::vector<verb_answer>& answers) {
  json::array outcomes;
  auto next = answers.begin();
  for (const auto& action : message.actions) {
    verb_answer answer{{}, verb_outcome::rejected, action.rejected, 0};
    if (action.rejected.empty() && next != answers.end()) answer = *next++;
    note_clipped(answer, action.clipped);
    json::object outcome{{"action_id", action.id}, {"outcome", std::string(to_string(answer.outcome))}};
    if (!answer.detail.empty()) outcome["detail"] = answer.detail;
    outcomes.push_back(std::move(outcome));
  }
  return json::serialize(
      json::object{{"protocol_version", std::string(protocol)}, {"message_id", message.id}, {"outcomes", std::move(outcomes)}});
}

}  // namespace troupe::gateway
