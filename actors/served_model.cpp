// Model folders disagree on where they keep things: eos ids in generation_config.json or config.json, the template in its own file or
// inside tokenizer_config.json, special tokens as text or as objects. Later sources here override earlier ones.
#include "actors/served_model.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "engine/text/tool_formats.hpp"

namespace troupe::actors {
namespace {

using json = nlohmann::json;

expected<std::string> read_text(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  std::ostringstream text;
  if (!stream || !(text << stream.rdbuf())) return failure{errc::io_failed, "cannot read " + file.string(), {}};
  return std::move(text).str();
}

/// A missing file is an empty object.
expected<json> read_object(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return json::object();
  auto text = read_text(file);
  if (!text) return text.error();
  auto value = json::parse(*text, nullptr, false);
  if (!value.is_object()) return failure{errc::corrupt_data, file.string() + " is not a JSON object", {}};
  return value;
}

void read_eos(const json& object, std::vector<token_id>& eos) {
  auto found = object.find("eos_token_id");
  if (found == object.end() || found->is_null()) return;
  eos.clear();
  if (found->is_number_integer()) eos.push_back(found->get<token_id>());
  if (found->is_array())
    for (const auto& token : *found)
      if (token.is_number_integer()) eos.push_back(token.get<token_id>());
}

void read_number(const json& object, const char* key, float& value) {
  auto found = object.find(key);
  if (found != object.end() && found->is_number()) value = found->get<float>();
}

generation_defaults read_defaults(const json& config, const json& generation) {
  generation_defaults defaults;
  read_eos(config, defaults.eos);
  read_eos(generation, defaults.eos);
  read_number(generation, "temperature", defaults.temperature);
  read_number(generation, "top_p", defaults.top_p);
  read_number(generation, "min_p", defaults.min_p);
  read_number(generation, "repetition_penalty", defaults.repetition_penalty);
  auto top_k = generation.find("top_k");
  if (top_k != generation.end() && top_k->is_number_integer()) defaults.top_k = top_k->get<std::int32_t>();
  return defaults;
}

/// `"<s>"` or `{"content": "<s>", ...}`.
std::optional<std::string> special_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) return value["content"].get<std::string>();
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> read_special_texts(const json& tokenizer) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const auto* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
    auto found = tokenizer.find(key);
    if (found == tokenizer.end()) continue;
    if (auto text = special_text(*found)) texts.emplace_back(key, std::move(*text));
  }
  return texts;
}

/// One text, or a list of named ones of which "default" is the conversation's.
std::string read_template(const json& tokenizer) {
  auto found = tokenizer.find("chat_template");
  if (found == tokenizer.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return {};
  for (const auto& named : *found)
    if (named.is_object() && named.value("name", "") == "default") return named.value("template", "");
  return {};
}

void read_answer_format(served_model& model, const served_model_options& options) {
  const auto& source = model.chat_template;
  const auto has = [&](std::string_view marker) { return source.find(marker) != std::string::npos; };
  if (options.tool_format == "auto") model.tool_format = text::tool_format_of(source);
  if (text::is_tool_format(options.tool_format)) model.tool_format = options.tool_format;
  if (has("[/THINK]")) model.reasoning = text::reasoning_format::think_brackets;
  model.parse_reasoning = has("</think>") || has("[/THINK]");
  model.merge_same_role = options.merge_same_role || has("alternate");  // Mistral and Gemma raise: "Conversation roles must alternate ..."
}

}  // namespace

expected<std::shared_ptr<const served_model>> load_served_model(const std::filesystem::path& folder, served_model_options options) {
  auto tokens = text::tokenizer::load(folder / "tokenizer.json");
  if (!tokens) return tokens.error();
  auto config = read_object(folder / "config.json");
  if (!config) return config.error();
  auto generation = read_object(folder / "generation_config.json");
  if (!generation) return generation.error();
  auto tokenizer = read_object(folder / "tokenizer_config.json");
  if (!tokenizer) return tokenizer.error();

  auto model = std::make_shared<served_model>();
  model->id = options.id.value.empty() ? model_id{folder.filename().string()} : std::move(options.id);
  model->aliases = std::move(options.aliases);
  model->volatile_text = std::move(options.volatile_text);
  model->tokens = *tokens;
  model->secret = options.secret;
  model->fingerprint = options.fingerprint;
  model->block_tokens = options.block_tokens;
  model->defaults = read_defaults(*config, *generation);
  model->special_texts = read_special_texts(*tokenizer);
  model->chat_template = read_template(*tokenizer);
  const auto own_file = folder / "chat_template.jinja";
  const auto& file = options.chat_template.empty() ? own_file : options.chat_template;
  if (!options.chat_template.empty() || std::filesystem::exists(file)) {
    auto source = read_text(file);
    if (!source) return source.error();
    model->chat_template = *source;
  }
  const auto limit = config->find("max_position_embeddings");
  const bool limited = limit != config->end() && limit->is_number_unsigned();
  const auto own_limit = limited ? limit->get<std::uint32_t>() : 0;
  model->context_tokens_max = options.context_tokens_max != 0 ? options.context_tokens_max : own_limit;
  if (model->context_tokens_max == 0)
    return failure{errc::corrupt_data, (folder / "config.json").string() + " lacks max_position_embeddings", {}};
  read_answer_format(*model, options);
  return std::shared_ptr<const served_model>{std::move(model)};
}

}  // namespace troupe::actors
