// The text around the calls of an answer, for formats whose calls begin with a marker, or with one of several that share their first
// byte: streams it, holds back what may become a marker, and keeps what follows one until its parser knows whether it is a call. White
// space between calls is dropped unless text follows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/text/answer_decoder.hpp"

namespace troupe::text {

/// Whether more of the answer may come. When it has ended, everything held is decided.
enum class input : std::uint8_t { open, ended };

enum class match : std::uint8_t { no, yes, partial };
/// Whether `text` begins with `literal`, or would if more came.
match begins_with(std::string_view text, std::string_view literal) noexcept;
/// Of white space; the text's size when it is nothing else.
std::size_t blank_length(std::string_view text) noexcept;

class call_text {
 public:
  explicit call_text(std::vector<std::string_view> markers) : markers_(std::move(markers)) {}

  void append(std::string_view text) { held_ += text; }
  /// What is not decided yet. Valid until the next call of a method that is not const.
  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(held_).substr(read_); }
  void drop(std::size_t bytes) noexcept { read_ += bytes; }
  /// Frees what was dropped: once per push, so that a long one is not moved again for every call in it.
  void compact();

  /// Releases the text before the next marker. True: found one; `inside` follows it. False: all that is certain is released.
  bool find_marker(std::vector<answer_piece>& pieces, input more);
  [[nodiscard]] std::string_view marker() const noexcept { return markers_[found_]; }
  [[nodiscard]] std::string_view inside() const noexcept { return rest().substr(inside_); }
  [[nodiscard]] std::size_t inside_at() const noexcept { return inside_; }  ///< in `rest`

  /// The marker was prose: it comes out as text, and what follows is searched again.
  void give_up(std::vector<answer_piece>& pieces);
  void end_call() noexcept { after_call_ = true; }

 private:
  std::size_t next_marker(std::string_view text);
  void release(std::size_t bytes, std::vector<answer_piece>& pieces);

  std::vector<std::string_view> markers_;
  std::string held_;
  std::size_t read_ = 0;     ///< of held_
  std::size_t inside_ = 0;   ///< in rest(): behind the marker that was found
  std::size_t found_ = 0;    ///< in markers_
  bool after_call_ = false;  ///< only white space since the last call
};

}  // namespace troupe::text
