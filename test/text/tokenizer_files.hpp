// The committed tokenizers, and where a test may write one of its own.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/text/tokenizer.hpp"

namespace troupe::test {

inline const char* const tokenizer_kinds[] = {"gpt2", "llama3", "qwen2", "deepseek", "llama2", "metaspace", "falcon"};

inline std::filesystem::path tokenizer_folder() {
  const char* source = std::getenv("TROUPE_SOURCE");
  return std::filesystem::path(source ? source : ".") / "test/text/data/tokenizers";
}

inline std::shared_ptr<const text::tokenizer> load_kind(const std::string& kind) {
  auto loaded = text::tokenizer::load(tokenizer_folder() / (kind + ".json"));
  if (!loaded) FAIL(loaded.error().message);
  return *loaded;
}

/// Loads a tokenizer.json with this content, from a file that is gone afterwards.
inline expected<std::shared_ptr<const text::tokenizer>> load_content(const std::string& content) {
  const auto file = std::filesystem::temp_directory_path() / ("troupe_tokenizer_" + std::to_string(::getpid()) + ".json");
  std::ofstream(file, std::ios::binary) << content;
  auto loaded = text::tokenizer::load(file);
  std::filesystem::remove(file);
  return loaded;
}

}  // namespace troupe::test
