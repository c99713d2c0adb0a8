// What happens to text before it is cut into words: the `normalizer` of a tokenizer.json. It runs on each stretch between added
// tokens by itself, which is why Prepend puts its mark behind every special token.
#pragma once

#include <unicode/normalizer2.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/text/token_json.hpp"
#include "engine/text/token_regex.hpp"

namespace troupe::text {

/// What `Replace` looks for, in normalizers and decoders alike.
class replacer {
 public:
  explicit replacer(const json_node& node);
  void apply(std::string& text) const;

 private:
  std::string literal_;
  std::optional<token_regex> regex_;
  std::string content_;
};

class normalizer {
 public:
  normalizer() = default;
  /// Fails with load_error.
  explicit normalizer(const json_node& node) { add(node); }

  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }
  void apply(std::string& text) const;

 private:
  struct prepend {
    std::string content;
  };
  struct unicode_form {
    const icu::Normalizer2* form;
  };
  struct lowercase {};
  struct strip {
    bool left, right;
  };
  using step = std::variant<prepend, replacer, unicode_form, lowercase, strip>;

  void add(const json_node& node);
  static void run(const prepend& step, std::string& text);
  static void run(const replacer& step, std::string& text);
  static void run(const unicode_form& step, std::string& text);
  static void run(const lowercase& step, std::string& text);
  static void run(const strip& step, std::string& text);

  std::vector<step> steps_;
};

}  // namespace troupe::text
