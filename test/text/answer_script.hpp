// Runs an answer through the decoder in a given portioning and writes the pieces as one readable line:
// t[text] r[reasoning] 0:name 0(arguments).
#pragma once

#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/text/answer_decoder.hpp"
#include "engine/text/answer_pieces.hpp"
#include "engine/text/detokenizer.hpp"
#include "engine/text/tool_parser.hpp"
#include "test/text/listed_tokenizer.hpp"

namespace troupe::text {

inline std::string written(const std::vector<answer_piece>& pieces) {
  std::vector<answer_piece> joined;
  for (const auto& piece : pieces) {
    if (piece.what == answer_piece::kind::tool_begin) {
      joined.push_back(piece);
    } else {
      append_piece(joined, piece.what, piece.text, piece.tool_index);
    }
  }
  std::string line;
  for (const auto& piece : joined) {
    const auto index = std::to_string(piece.tool_index);
    if (!line.empty()) line += ' ';
    switch (piece.what) {
      case answer_piece::kind::text:
        line += "t[" + piece.text + "]";
        break;
      case answer_piece::kind::reasoning:
        line += "r[" + piece.text + "]";
        break;
      case answer_piece::kind::tool_begin:
        line += index + ":" + piece.text;
        break;
      case answer_piece::kind::tool_arguments:
        line += index + "(" + piece.text + ")";
        break;
    }
  }
  return line;
}

/// What a tool parser makes of a text.
struct parsed_calls {
  std::vector<answer_piece> pieces;
  std::uint32_t calls = 0;

  [[nodiscard]] std::string joined(answer_piece::kind what, std::uint32_t index = 0) const {
    std::string text;
    for (const auto& piece : pieces)
      if (piece.what == what && piece.tool_index == index) text += piece.text;
    return text;
  }
};

template <class Portions>
parsed_calls parse_calls(std::string_view format, const std::vector<core::chat_tool>& tools, const Portions& portions) {
  const auto parser = tool_parser::make(format, tools);
  parsed_calls result;
  for (const auto& portion : portions) parser->push(portion, result.pieces);
  parser->finish(result.pieces);
  result.calls = parser->calls();
  return result;
}

inline std::string decoded(const std::vector<std::string>& portions, const answer_options& options) {
  answer_decoder decoder(listed_tokenizer::of(portions), options);
  std::vector<answer_piece> pieces;
  for (std::size_t token = 0; token < portions.size(); ++token) decoder.push(static_cast<token_id>(token), pieces);
  decoder.finish(pieces);
  return written(pieces);
}

inline std::vector<std::string> portions_of(const std::string& text, const std::function<std::size_t()>& length) {
  std::vector<std::string> portions;
  for (std::size_t at = 0; at < text.size(); at += portions.back().size()) portions.push_back(text.substr(at, length()));
  return portions;
}

/// The portionings that a vector is tried in: every size up to 16, every single cut, and some at random.
inline std::vector<std::vector<std::string>> all_portionings(const std::string& text, unsigned seed) {
  std::vector<std::vector<std::string>> all;
  for (std::size_t size = 1; size <= 16; ++size) all.push_back(portions_of(text, [size] { return size; }));
  for (std::size_t cut = 1; cut < text.size(); ++cut) all.push_back({text.substr(0, cut), text.substr(cut)});
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) all.push_back(portions_of(text, [&random] { return 1 + random() % 24; }));
  return all;
}

}  // namespace troupe::text
