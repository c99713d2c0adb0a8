// One model as sessions see it: how its prompts become tokens and its tokens text, and what it is asked when a request is silent.
// Immutable once loaded and shared by every session. Its weights are elsewhere: they belong to the workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/answer_decoder.hpp"
#include "engine/text/tokenizer.hpp"
#include "messages/base/errc.hpp"
#include "messages/base/ids.hpp"

namespace troupe::actors {

/// What generation_config.json says; NaN and -1 mean that it is silent.
struct generation_defaults {
  std::vector<token_id> eos;
  float temperature = std::numeric_limits<float>::quiet_NaN();
  float top_p = std::numeric_limits<float>::quiet_NaN();
  float min_p = std::numeric_limits<float>::quiet_NaN();
  float repetition_penalty = std::numeric_limits<float>::quiet_NaN();
  std::int32_t top_k = -1;
};

struct served_model {
  model_id id;
  std::vector<std::string> aliases;  ///< patterns with * and ?
  std::shared_ptr<const text::tokenizer> tokens;
  std::string chat_template;                                       ///< empty: chat prompts are refused
  std::vector<std::pair<std::string, std::string>> special_texts;  ///< template variables: bos_token, eos_token, ...
  bool merge_same_role = false;                                    ///< the template insists on alternating roles
  std::vector<std::string> volatile_text;                          ///< patterns of what is left out of system messages
  std::uint32_t context_tokens_max = 0;
  generation_defaults defaults;
  std::uint64_t secret = 0, fingerprint = 0;  ///< of the blocks' hash scope
  std::uint32_t block_tokens = 32;
  std::string tool_format;  ///< see text::is_tool_format; empty: calls are not parsed
  bool parse_reasoning = false;
  text::reasoning_format reasoning = text::reasoning_format::think_tags;
};

/// What a model's folder does not say.
struct served_model_options {
  model_id id;
  std::vector<std::string> aliases;
  std::uint64_t secret = 0, fingerprint = 0;
  std::uint32_t block_tokens = 32;
  std::uint32_t context_tokens_max = 0;  ///< 0: config.json's
  std::filesystem::path chat_template;   ///< empty: the folder's
  std::string tool_format = "auto";      ///< auto, none, or see text::is_tool_format
  bool merge_same_role = false;          ///< also where the template does not insist
  std::vector<std::string> volatile_text;
};

/// Reads a Hugging Face model folder: tokenizer.json, config.json, and where present tokenizer_config.json, generation_config.json and
/// chat_template.jinja. Failures: the tokenizer's, io_failed, corrupt_data (names the file).
expected<std::shared_ptr<const served_model>> load_served_model(const std::filesystem::path& folder, served_model_options options);

}  // namespace troupe::actors
