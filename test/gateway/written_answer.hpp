// What a writer makes of the events of one answer.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "gateway/answer_writer.hpp"
#include "test/support/fake_node.hpp"

namespace troupe::test {

inline std::string write(gateway::answer_writer& writer, const std::vector<gateway::turn_event>& events) {
  std::string out;
  for (const auto& event : events) {
    if (const auto* started = std::get_if<turn_started>(&event)) writer.started(*started, out);
    if (const auto* delta = std::get_if<turn_delta>(&event)) writer.delta(*delta, out);
    if (const auto* finished = std::get_if<turn_finished>(&event)) writer.finished(*finished, out);
  }
  return out;
}

}  // namespace troupe::test
