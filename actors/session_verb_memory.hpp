// What each verb became, by its id, so that a repeat is answered with the first outcome. Bounded: the oldest are forgotten.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "messages/base/limits.hpp"
#include "messages/lifecycle.hpp"

namespace troupe::actors {

class session_verb_memory {
 public:
  /// Null: never seen, or forgotten. A verb without an id is never remembered.
  [[nodiscard]] const verb_answer* find(const std::string& id) const {
    const auto found = answers_.find(id);
    return found == answers_.end() ? nullptr : &found->second;
  }
  void remember(const verb_answer& answer) {
    if (answer.id.empty() || !answers_.emplace(answer.id, answer).second) return;
    order_.push_back(answer.id);
    if (order_.size() <= limits::verb_ids_remembered) return;
    answers_.erase(order_.front());
    order_.pop_front();
  }

 private:
  std::unordered_map<std::string, verb_answer> answers_;
  std::deque<std::string> order_;
};

}  // namespace troupe::actors
