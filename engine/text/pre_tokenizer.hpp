// Cuts a stretch of text into the words that BPE sees one by one: the `pre_tokenizer` of a tokenizer.json. ByteLevel as the last
// step does not spell its bytes out: the model then reads bytes.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/text/token_json.hpp"
#include "engine/text/token_regex.hpp"

namespace troupe::text {

struct words {
  std::string text;
  std::vector<text_span> spans;  ///< ascending, none empty
  bool begins_input = false;     ///< the first span is where the whole input begins
};

enum class split_behavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };

class pre_tokenizer {
 public:
  pre_tokenizer() = default;
  /// Fails with load_error.
  explicit pre_tokenizer(const json_node& node);

  void apply(words& cut) const;
  /// Whether the words are raw bytes that stand for GPT-2's alphabet.
  [[nodiscard]] bool yields_bytes() const noexcept { return yields_bytes_; }

 private:
  struct split_regex {
    token_regex regex;
    split_behavior behavior;
    bool invert;
  };
  struct split_literal {
    std::string literal;
    split_behavior behavior;
    bool invert;
  };
  struct split_class {
    bool (*holds)(char32_t);
    split_behavior behavior;
  };
  struct prefix_space {};
  struct spell_out {};
  struct metaspace {
    std::string replacement;
    enum class prepend { always, first, never } scheme;
    bool split;
  };
  using step = std::variant<split_regex, split_literal, split_class, prefix_space, spell_out, metaspace>;

  void add(const json_node& node);
  void add_split(const json_node& node);
  void add_byte_level(const json_node& node);
  void add_metaspace(const json_node& node);
  static void run(const split_regex& step, words& cut);
  static void run(const split_literal& step, words& cut);
  static void run(const split_class& step, words& cut);
  static void run(const prefix_space& step, words& cut);
  static void run(const spell_out& step, words& cut);
  static void run(const metaspace& step, words& cut);

  std::vector<step> steps_;
  bool yields_bytes_ = false;
};

}  // namespace troupe::text
