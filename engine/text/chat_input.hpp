// A conversation to the JSON object that Hugging Face templates read. Evens out what templates disagree about: system messages in
// odd places, arguments as strings, null content. Client JSON (arguments, tools) is checked and spliced in as it came, never
// re-written, so key order and numbers survive.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/chat.hpp"
#include "messages/base/errc.hpp"

namespace troupe::text {

struct chat_input {
  std::span<const core::chat_message> messages{};  ///< `developer` is a system message by now
  std::span<const core::chat_tool> tools{};        ///< none: the template sees no tools
  std::string_view template_arguments{};           ///< JSON object of extra variables (enable_thinking, ...), or empty
  bool continue_final_message = false;             ///< the last message, of the assistant, is open: no generation prompt
  bool merge_same_role = false;                    ///< join consecutive user or assistant messages, for templates that insist on turns
  std::span<const std::string> volatile_text{};    ///< patterns of what is left out of system messages (volatile_text.hpp)
  std::span<const std::pair<std::string, std::string>> variables{};  ///< of the model: bos_token, eos_token, ...
};

/// The input of template_engine::render. A leading run of system messages becomes one; a later one joins the user message that
/// follows it, or becomes a user message where it stands, so that what was rendered before it stays. Failures: invalid_request,
/// `param` names the message, the tool or chat_template_kwargs.
expected<std::string> to_template_input(const chat_input& input);

}  // namespace troupe::text
