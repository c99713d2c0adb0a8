// Which session an unnamed conversation goes on: the client sends all of its messages with every request, so what it has said before says who
// it is. A conversation is known again by the ids of tool calls that it answers, else by an answer of ours behind the messages that it was
// given to, else by the messages alone. Of one gateway, shared by its threads; bounded: of
// sessions at rest the tenant that has most gives up the one that it used longest ago. No text is kept, so their number bounds the bytes too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/core/chat.hpp"
#include "engine/core/fair_table.hpp"
#include "messages/base/ids.hpp"

namespace troupe::gateway {

class conversation_index {
 public:
  explicit conversation_index(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  struct match {
    session_id session;
    std::uint64_t asked = 0;         ///< names the messages at `answered`
    bool is_new = false;             ///< `session` is the name that was offered
    std::vector<session_id> ended;   ///< given up: nobody will name them again
  };
  /// `scope` keeps apart what must not meet: model, salt, the client's weak key. The session takes `offered` as its name when no known one
  /// fits or a turn of the one that fits is running: who branches has a session for each branch, with a "+" to a name that is in use. When
  /// nothing that was said fits, a session of that name does. Its tenant is the one that scopes `offered`. A turn runs from here until `leave`.
  match find(std::string_view scope, std::span<const core::chat_message> messages, std::string offered);

  /// The answer to what was asked: its text and the ids of its calls. Nothing happens when the session has been given up meanwhile.
  void answered(const session_id& session, std::uint64_t asked, std::string_view text, std::span<const std::string> calls);

  void leave(const session_id& session);

  [[nodiscard]] std::size_t size() const;

 private:
  struct entry {
    session_id session;
    std::uint64_t scope = 0;
    std::vector<std::uint64_t> keys;  ///< under which it is found, the oldest first
    std::uint32_t running = 0;
  };
  using place = core::fair_table<entry>::handle;

  std::optional<place> look_up(std::uint64_t scope, std::span<const core::chat_message> messages, std::span<const std::uint64_t> before);
  bool make_room(std::string_view tenant, std::vector<session_id>& ended);
  void add_key(place at, std::uint64_t key);
  void forget_key(place at, std::uint64_t key);

  mutable std::mutex mutex_;
  std::size_t sessions_max_;
  core::fair_table<entry> entries_;  ///< by tenant
  std::unordered_map<std::uint64_t, place> by_key_;
  std::unordered_map<std::string, place> by_name_;
  std::deque<std::string> given_up_;  ///< the oldest in front
  std::unordered_set<std::string> dying_;  ///< the same: names whose sessions may not have died yet: a namesake would die in their place
};

}  // namespace troupe::gateway
