// Exact names win over patterns of every model, so that a pattern such as gpt-* cannot hide a served gpt-x.
#include "actors/model_registry.hpp"

#include <algorithm>

namespace troupe::actors {

// Linear in the text for each star: on a mismatch only the last star may take one character more.
bool matches_pattern(std::string_view pattern, std::string_view text) noexcept {
  std::size_t at = 0, read = 0, after_star = 0, star_read = 0;
  bool starred = false;
  while (read < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      starred = true;
      after_star = ++at;
      star_read = read;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[read])) {
      ++at;
      ++read;
    } else if (starred) {
      at = after_star;
      read = ++star_read;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

model_registry::model_pointer model_registry::resolve(std::string_view name) const {
  if (name.empty()) return models_.empty() ? nullptr : models_.front();
  for (const auto& model : models_)
    if (model->id.value == name) return model;
  for (const auto& model : models_) {
    const auto matches = [&](const std::string& alias) { return matches_pattern(alias, name); };
    if (std::any_of(model->aliases.begin(), model->aliases.end(), matches)) return model;
  }
  return nullptr;
}

}  // namespace troupe::actors
