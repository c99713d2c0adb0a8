// Who speaks in a rendered prompt, as ranges of its tokens, kept from turn to turn: only what follows the first difference is looked for
// again. What lies between two pieces of the conversation goes with the next one, but for the tools' definitions, for a piece that the
// template has spelled anew, and for what comes before everything, which is the system's.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/text/message_spans.hpp"
#include "engine/text/prompt_encoder.hpp"

namespace troupe::text {

class prompt_roles {
 public:
  struct source {
    std::span<const core::chat_message> messages;
    std::span<const core::chat_tool> tools;
    std::string_view rendered;
    const tokenizer& spelling;
  };
  /// `prompt` is what an encoder made of `rendered`; what it kept, it kept from the prompt of the last call.
  void update(const source& of, const encoded_prompt& prompt);
  void forget() { stretches_.clear(); }

  /// To the prompt's end, at most limits::role_ranges_max of them.
  [[nodiscard]] std::vector<core::role_range> ranges() const;
  /// The tokens up to the end of a piece; 0: the template has left it out.
  [[nodiscard]] std::uint32_t token_end(std::size_t message, std::size_t block) const;
  /// Whose a byte of the rendering is; nothing behind the last piece of the conversation.
  [[nodiscard]] std::optional<core::block_role> role_at(std::size_t byte) const;

 private:
  /// Bytes from the end of the stretch before, of one role. With a span it ends with that piece.
  struct stretch {
    core::block_role role = core::block_role::unknown;
    std::size_t byte_end = 0;
    message_span span;
    bool has_span = false;
    std::uint32_t token_end = 0;    ///< tokens that lie whole within the first `byte_end` bytes
    std::size_t token_byte_end = 0;  ///< where the last of them ends
  };

  void keep(const source& of, std::size_t bytes_kept);
  void add_glue(const source& of, std::size_t byte_end, core::block_role next, core::block_role missing);
  void count_tokens(const source& of, const encoded_prompt& prompt, std::size_t from);

  std::vector<stretch> stretches_;
  bool has_tools_ = false;  ///< one of them holds the tools' definitions
};

/// The tokens of the system's and the tools' ranges before all others.
std::uint32_t head_tokens(std::span<const core::role_range> ranges);
/// Where reasoning begins that no user message follows; nothing when there is none.
std::optional<std::uint32_t> open_reasoning(std::span<const core::role_range> ranges);

}  // namespace troupe::text
