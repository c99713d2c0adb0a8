// Writes an answer as another writer does, and tells the conversation_index what was answered: the client's next request is known by it.
#pragma once

#include <cstdint>
#include <memory>

#include "gateway/answer_writer.hpp"
#include "gateway/conversation_index.hpp"

namespace troupe::gateway {

std::unique_ptr<answer_writer> make_conversation_writer(std::unique_ptr<answer_writer> inner, std::shared_ptr<conversation_index> index,
                                                        session_id session, std::uint64_t asked);

}  // namespace troupe::gateway
