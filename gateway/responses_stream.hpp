// Answers of OpenAI's Responses protocol, as one JSON object or as server-sent events.
#pragma once

#include <memory>
#include <string>

#include "gateway/answer_writer.hpp"
#include "gateway/reasoning_seal.hpp"
#include "gateway/responses_request.hpp"

namespace troupe::gateway {

/// A stream is response.created, response.in_progress, the items one after the other (reasoning, message, function_call, custom_tool_call)
/// between output_item.added and .done, and response.completed, .incomplete or .failed with the whole object. Reasoning is shown as the
/// model wrote it, once: as content, or as the one part of a summary for whoever asks for summaries, since clients that do (the AI SDK,
/// Codex) look nowhere else. Nothing makes other words of it. Space between two items belongs to neither and is left out.
class responses_writer : public answer_writer {
 public:
  /// The response object that `finished` will send. Nothing may be written after this but that.
  virtual const std::string& response(const turn_finished& event) = 0;
  /// It is not stored, whatever the request wished: what is written from here on says so.
  virtual void note_unstored() = 0;
};

std::unique_ptr<responses_writer> make_responses_writer(answer_shape shape, std::shared_ptr<const responses_wish> wish,
                                                        reasoning_sealer seal);

// Parts, in responses_object.cpp.
struct response_state {
  std::string_view status;            ///< in_progress, completed, incomplete, failed
  std::string_view output;            ///< items, comma-separated
  const turn_usage* usage = nullptr;  ///< null: not known yet
  const failure* error = nullptr;     ///< of a failed one
  bool stored = false;
};
std::string response_json(const answer_shape& shape, const responses_wish& wish, const response_state& state);

/// The id of the response that an item of ours is part of, "" when the id is not of that form.
std::string response_of_item(std::string_view item_id);
/// Whether an item's id is of the form that ours have: a summary under it is what the model wrote.
bool is_own_item(std::string_view item_id);
inline constexpr std::string_view response_prefix = "resp_";

}  // namespace troupe::gateway
