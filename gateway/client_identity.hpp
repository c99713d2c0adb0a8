// Who speaks, as clients say it in headers and fields of their own: facts about Claude Code, Codex, opencode and engines, and the weak keys of
// the protocols. No policy: what a name means is identity's to say.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "gateway/http_message.hpp"

namespace troupe::gateway {

struct client_name {
  std::string_view source;  ///< "claude-code", "codex", "dynamo", "vllm", "sglang"; empty: nobody has said anything
  std::string session;      ///< this agent's name
  std::string parent;       ///< the agent that has spawned it, may be empty
  bool is_final = false;    ///< no turn follows this one
};

/// The first of the known clients whose headers or fields are there. A child has a name of its own: agents of one Claude Code session become
/// "session.agent", Codex' threads are named by thread and not by the session that all of them share.
client_name read_client_name(const http_request& request, const boost::json::object& body);

/// What says which user or cache group a conversation belongs to, but not which agent: `prompt_cache_key`, `metadata.user_id`, `user` or
/// "". Several agents may share it.
std::string read_weak_key(const boost::json::object& body);

}  // namespace troupe::gateway
