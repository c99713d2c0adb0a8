// `troupe tokenize`: standard input to tokens, or tokens to text, with a model's own tokenizer.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/text/tokenizer.hpp"
#include "gateway/commands/commands.hpp"

namespace troupe::gateway {
namespace {

struct tokenize_options {
  std::filesystem::path model;
  bool decode = false;
  bool json = false;
};

std::string read_input() { return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()}; }

/// Token ids, separated by anything that is not part of a number.
std::vector<token_id> parse_tokens(std::string text) {
  for (auto& letter : text)
    if ((letter < '0' || letter > '9') && letter != '-') letter = ' ';
  std::istringstream stream(text);
  return {std::istream_iterator<token_id>(stream), std::istream_iterator<token_id>()};
}

int encode(const text::tokenizer& tokens, const tokenize_options& options) {
  const auto ids = tokens.encode(read_input(), {.add_special_tokens = true, .parse_special_tokens = true});
  if (options.json) {
    std::printf("%s\n", nlohmann::json{{"tokens", ids}, {"count", ids.size()}}.dump().c_str());
    return 0;
  }
  for (const auto id : ids)
    std::printf("%d\t%s\n", id, nlohmann::json(tokens.token_bytes(id)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return 0;
}

int decode(const text::tokenizer& tokens, const tokenize_options& options) {
  const auto text = tokens.decode(parse_tokens(read_input()), {.skip_special_tokens = false});
  if (options.json)
    std::printf("%s\n", nlohmann::json{{"text", text}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else
    std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& app, command& run) {
  auto options = std::make_shared<tokenize_options>();
  auto* sub = app.add_subcommand("tokenize", "Standard input to tokens, with what the tokenizer's post-processor adds");
  sub->add_option("--model", options->model, "Hugging Face model folder")->required();
  sub->add_flag("--decode", options->decode, "Standard input holds token ids: print their text");
  sub->add_flag("--json", options->json, "Print one JSON object");
  sub->callback([options, &run] {
    run = [options] {
      const auto tokens = text::tokenizer::load(options->model / "tokenizer.json");
      if (!tokens) return fail(tokens.error().message);
      return options->decode ? decode(**tokens, *options) : encode(**tokens, *options);
    };
  });
}

}  // namespace troupe::gateway
