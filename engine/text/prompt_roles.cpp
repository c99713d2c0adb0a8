#include "engine/text/prompt_roles.hpp"

#include <algorithm>
#include <cctype>

#include "messages/base/limits.hpp"

namespace troupe::text {
namespace {

using core::block_role;
using core::chat_block;
using core::chat_role;

block_role role_of(const core::chat_message& message, const chat_block& block) {
  switch (block.what) {
    case chat_block::kind::reasoning:
      return block_role::reasoning;
    case chat_block::kind::tool_call:
      return block_role::output;
    case chat_block::kind::tool_result:
      return block_role::tool_result;
    case chat_block::kind::text:
      break;
  }
  switch (message.role) {
    case chat_role::system:
      return block_role::system;
    case chat_role::user:
      return block_role::user;
    case chat_role::assistant:
      return block_role::output;
    case chat_role::tool:
      break;
  }
  return block_role::tool_result;
}

/// The role of the first piece in [from, to) that the template should have: unknown when there is none. Reasoning it may leave out.
block_role missing_role(std::span<const core::chat_message> messages, span_start from, span_start to) {
  for (std::size_t message = from.message; message < messages.size() && message <= to.message; ++message) {
    const auto& blocks = messages[message].blocks;
    const auto end = message == to.message ? std::min(to.block, blocks.size()) : blocks.size();
    for (std::size_t block = message == from.message ? from.block : 0; block < end; ++block)
      if (blocks[block].what != chat_block::kind::reasoning && !trimmed(blocks[block].text).empty())
        return role_of(messages[message], blocks[block]);
  }
  return block_role::unknown;
}

bool is_in_word(char each) { return std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '_' || each == '-'; }

/// A name, not a part of a longer one.
std::size_t find_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at == 0 || !is_in_word(text[at - 1])) && (end == text.size() || !is_in_word(text[end]))) return at;
  }
  return std::string_view::npos;
}

}  // namespace

/// Drops what may have changed.
void prompt_roles::keep(const source& of, std::size_t bytes_kept) {
  while (!stretches_.empty() && (stretches_.back().byte_end > bytes_kept || !stretches_.back().has_span)) stretches_.pop_back();
  if (stretches_.empty()) return;
  // A client may have rewritten a history without another byte in its rendering: then pieces are counted anew.
  const auto& last = stretches_.back().span;
  const bool is_there = last.message < of.messages.size() && last.block < of.messages[last.message].blocks.size();
  const auto spelled = of.rendered.substr(last.byte_begin, last.byte_end - last.byte_begin);
  if (!is_there || trimmed(of.messages[last.message].blocks[last.block].text) != spelled) stretches_.clear();
}

/// What lies between the last stretch and `byte_end`, as far as it does not go with the piece that begins there.
void prompt_roles::add_glue(const source& of, std::size_t byte_end, block_role next, block_role missing) {
  const std::size_t begin = stretches_.empty() ? 0 : stretches_.back().byte_end;
  const block_role before = stretches_.empty() ? block_role::system : stretches_.back().role;
  const auto glue = of.rendered.substr(begin, byte_end - begin);
  const bool may_define = !of.tools.empty() && !of.tools.front().name.empty() && !has_tools_;
  if (const auto name = may_define ? find_word(glue, of.tools.front().name) : std::string_view::npos; name != std::string_view::npos) {
    const auto line = glue.rfind('\n', name);
    if (line != std::string_view::npos) stretches_.push_back({before, begin + line + 1, {}});
    stretches_.push_back({block_role::tools, byte_end, {}});
    has_tools_ = true;
    return;
  }
  const block_role own = missing != block_role::unknown ? missing : stretches_.empty() ? block_role::system : next;
  if (own != next && !glue.empty()) stretches_.push_back({own, byte_end, {}});
}

void prompt_roles::update(const source& of, const encoded_prompt& prompt) {
  keep(of, prompt.bytes_kept);
  has_tools_ = std::ranges::find(stretches_, block_role::tools, &stretch::role) != stretches_.end();
  const std::size_t kept = stretches_.size();
  span_start start;
  if (kept > 0) start = {stretches_.back().span.message, stretches_.back().span.block + 1, stretches_.back().byte_end};
  for (const auto& span : find_spans(of.messages, of.rendered, start)) {
    const block_role role = role_of(of.messages[span.message], of.messages[span.message].blocks[span.block]);
    add_glue(of, span.byte_begin, role, missing_role(of.messages, start, {span.message, span.block}));
    stretches_.push_back({role, span.byte_end, span, true});
    start = {span.message, span.block + 1, span.byte_end};
  }
  const block_role missing = missing_role(of.messages, start, {of.messages.size(), 0});
  const block_role last = stretches_.empty() ? block_role::system : stretches_.back().role;
  add_glue(of, of.rendered.size(), block_role::unknown, missing != block_role::unknown ? missing : last);
  count_tokens(of, prompt, kept);
}

void prompt_roles::count_tokens(const source& of, const encoded_prompt& prompt, std::size_t from) {
  std::uint32_t token = from == 0 ? 0 : stretches_[from - 1].token_end;
  std::size_t byte = from == 0 ? 0 : stretches_[from - 1].token_byte_end;
  for (; from < stretches_.size(); ++from) {
    stretch& at = stretches_[from];
    for (std::size_t next = byte; token < prompt.tokens.size(); ++token, byte = next) {
      next += of.spelling.token_size(prompt.tokens[token]);
      if (next > at.byte_end) break;
    }
    at.token_end = token;
    at.token_byte_end = byte;
  }
  // A tokenizer that normalises may spell more or less than it was given.
  if (!stretches_.empty() && !stretches_.back().has_span) stretches_.back().token_end = static_cast<std::uint32_t>(prompt.tokens.size());
}

std::vector<core::role_range> prompt_roles::ranges() const {
  std::vector<core::role_range> ranges;
  for (const auto& each : stretches_) {
    if (each.token_end == (ranges.empty() ? 0 : ranges.back().token_end)) continue;
    if (!ranges.empty() && ranges.back().role == each.role)
      ranges.back().token_end = each.token_end;
    else if (ranges.size() < limits::role_ranges_max)
      ranges.push_back({each.role, each.token_end});
    else
      break;
  }
  return ranges;
}

std::uint32_t prompt_roles::token_end(std::size_t message, std::size_t block) const {
  for (const auto& each : stretches_)
    if (each.has_span && each.span.message == message && each.span.block == block) return each.token_end;
  return 0;
}

std::optional<block_role> prompt_roles::role_at(std::size_t byte) const {
  const auto at = std::ranges::upper_bound(stretches_, byte, {}, &stretch::byte_end);
  const bool is_spoken = std::any_of(at, stretches_.end(), [](const stretch& each) { return each.has_span; });
  if (!is_spoken) return std::nullopt;
  return at->role;
}

std::uint32_t head_tokens(std::span<const core::role_range> ranges) {
  std::uint32_t head = 0;
  for (const auto& each : ranges) {
    if (each.role != block_role::system && each.role != block_role::tools) break;
    head = each.token_end;
  }
  return head;
}

std::optional<std::uint32_t> open_reasoning(std::span<const core::role_range> ranges) {
  std::optional<std::uint32_t> begin;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].role == block_role::user) begin.reset();
    if (ranges[i].role == block_role::reasoning && !begin) begin = i == 0 ? 0 : ranges[i - 1].token_end;
  }
  return begin;
}

}  // namespace troupe::text
