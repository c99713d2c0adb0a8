// What an answer says, apart from how it is spelled: the same tool call may have other spaces or another order of keys once a template has
// written it again.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

struct answer_content {
  struct call {
    std::string name, arguments;  ///< JSON text
  };
  std::string reasoning, text;
  std::vector<call> calls;
};

/// Stop strings of the options are left aside.
answer_content read_answer(std::shared_ptr<const tokenizer> tokens, answer_options options, std::span<const token_id> answer);

/// Equal but for white space around text and reasoning, and for the spelling of arguments that are JSON.
bool says_the_same(const answer_content& left, const answer_content& right);

}  // namespace troupe::text
