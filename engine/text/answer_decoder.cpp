// The stages in a row: tokens -> text -> stop strings -> reasoning -> tool calls. Each stage holds back only what it must.
#include "engine/text/answer_decoder.hpp"

#include <optional>
#include <utility>

#include "engine/text/answer_pieces.hpp"
#include "engine/text/detokenizer.hpp"
#include "engine/text/reasoning_parser.hpp"
#include "engine/text/stop_strings.hpp"
#include "engine/text/tool_parser.hpp"

namespace troupe::text {
namespace {

detokenizer_options detokenizer_options_of(const answer_options& options, const tool_parser* tools) {
  detokenizer_options result{
      .skip_special_tokens = options.skip_special_tokens, .keep = {}, .keep_leading_space = options.keep_leading_space};
  const auto markers = markers_of(options.reasoning);
  if (options.parse_reasoning) result.keep = {std::string(markers.open), std::string(markers.close)};
  if (tools == nullptr) return result;
  for (auto& marker : tools->markers()) result.keep.push_back(std::move(marker));
  return result;
}

}  // namespace

struct answer_decoder::state {
  state(std::shared_ptr<const tokenizer> tokens, const answer_options& options)
      : tools(tool_parser::make(options.tool_format, options.tools)),
        bytes(std::move(tokens), detokenizer_options_of(options, tools.get())),
        stops(options.stop) {
    if (options.parse_reasoning) reasoning.emplace(options.begins_in_reasoning, options.reasoning);
  }

  [[nodiscard]] bool in_reasoning() const { return reasoning && reasoning->in_reasoning(); }

  /// Reads no further than a stop string, in `certain` what is surely answer.
  void parse(std::string_view certain, std::vector<answer_piece>& pieces) {
    if (!reasoning) return read_tools(certain, pieces);
    parted.clear();
    reasoning->push(certain, parted);
    hand_on(pieces);
  }

  void hand_on(std::vector<answer_piece>& pieces) {
    for (const auto& piece : parted) {
      if (piece.what == answer_piece::kind::text) {
        read_tools(piece.text, pieces);
      } else {
        append_piece(pieces, piece.what, piece.text);
      }
    }
  }

  void read_tools(std::string_view text, std::vector<answer_piece>& pieces) {
    if (tools) {
      tools->push(text, pieces);
    } else {
      append_piece(pieces, answer_piece::kind::text, text);
    }
  }

  std::unique_ptr<tool_parser> tools;
  detokenizer bytes;
  stop_strings stops;
  std::optional<reasoning_parser> reasoning;
  std::vector<answer_piece> parted;  ///< between the last two stages
  std::uint32_t reasoning_tokens = 0;
  bool finished = false;
};

answer_decoder::answer_decoder(std::shared_ptr<const tokenizer> tokens, answer_options options)
    : state_(std::make_unique<state>(std::move(tokens), options)) {}
answer_decoder::~answer_decoder() = default;
answer_decoder::answer_decoder(answer_decoder&&) noexcept = default;

bool answer_decoder::push(token_id token, std::vector<answer_piece>& pieces) {
  auto& self = *state_;
  if (self.finished || !self.stops.matched().empty()) return false;
  const bool before = self.in_reasoning();
  std::string text, certain;
  self.bytes.push(token, text);
  const bool goes_on = self.stops.push(text, certain);
  self.parse(certain, pieces);
  if (before || self.in_reasoning()) ++self.reasoning_tokens;
  return goes_on;
}

void answer_decoder::finish(std::vector<answer_piece>& pieces) {
  auto& self = *state_;
  if (std::exchange(self.finished, true)) return;
  std::string text, certain;
  self.bytes.finish(text);
  self.stops.push(text, certain);
  self.stops.finish(certain);
  self.parse(certain, pieces);
  if (self.reasoning) {
    self.parted.clear();
    self.reasoning->finish(self.parted);
    self.hand_on(pieces);
  }
  if (self.tools) self.tools->finish(pieces);
}

const std::string& answer_decoder::stop_string() const noexcept { return state_->stops.matched(); }
std::uint32_t answer_decoder::tool_calls() const noexcept { return state_->tools ? state_->tools->calls() : 0; }
std::uint32_t answer_decoder::reasoning_tokens() const noexcept { return state_->reasoning_tokens; }

}  // namespace troupe::text
