// A rendered template spells its special tokens itself; a plain text gets those that the tokenizer's post-processor adds.
#include "actors/session_prompts.hpp"

#include "engine/text/chat_input.hpp"

namespace troupe::actors {
namespace {

constexpr std::size_t answer_room_tokens = 1024;

/// A copy to which an answer can be appended without another one.
text::encoded_prompt with_room(const text::encoded_prompt& kept) {
  text::encoded_prompt copy;
  copy.tokens.reserve(kept.tokens.size() + answer_room_tokens);
  copy = kept;
  return copy;
}

constexpr text::tokenizer::encode_options rendered_options{.add_special_tokens = false, .parse_special_tokens = true};

}  // namespace

expected<std::string> template_input(const turn_request& request, const served_model& model) {
  if (model.chat_template.empty())
    return failure{errc::invalid_request, "the model " + model.id.value + " has no chat template", "messages"};
  text::chat_input input;
  input.messages = request.prompt.messages;
  input.tools = request.prompt.tools;
  input.template_arguments = request.prompt.template_arguments;
  input.continue_final_message = request.prompt.continue_final_message;
  input.merge_same_role = model.merge_same_role;
  input.volatile_text = model.volatile_text;
  input.variables = model.special_texts;
  return text::to_template_input(input);
}

core::block_hasher hasher_of(const served_model& model, const std::string& tenant, const std::string& cache_salt) {
  core::hash_scope scope;
  scope.secret = model.secret;
  scope.fingerprint = model.fingerprint;
  scope.tenant = tenant;
  scope.cache_salt = cache_salt;
  return {scope, model.block_tokens};
}

bool ends_in_reasoning(const std::string& rendered) {
  const auto last = rendered.find_last_not_of(" \n\r\t");
  if (last == std::string::npos) return false;
  const std::string_view text{rendered.data(), last + 1};
  return text.ends_with("<think>") || text.ends_with("[THINK]");
}

void session_prompts::take_scope(const scope& of) {
  plain_.reset();
  kept_scope wanted{of.model, of.tenant, of.cache_salt};
  if (encoder_ && kept_ == wanted) return;
  kept_ = std::move(wanted);
  encoder_.emplace(of.model->tokens, hasher_of(*of.model, of.tenant, of.cache_salt));
  splice_.emplace(of.model->tokens);
}

text::encoded_prompt session_prompts::encode(const scope& of, std::string text, text::tokenizer::encode_options options,
                                             std::span<const text::forced_tokens> forced) {
  if (!of.keep) {
    text::prompt_encoder aside{of.model->tokens, hasher_of(*of.model, of.tenant, of.cache_salt)};
    return aside.encode(std::move(text), options, forced);
  }
  take_scope(of);
  return with_room(encoder_->encode(std::move(text), options, forced));
}

session_prompts::remembered session_prompts::last() const {
  if (!plain_ && !encoder_) return {};
  return {plain_ ? &*plain_ : &encoder_->last(), hasher_of(*kept_.model, kept_.tenant, kept_.cache_salt).seed(), kept_.model->block_tokens};
}

text::encoded_prompt session_prompts::encode_ahead(const scope& of, std::string rendered) const {
  auto splice = splice_.value_or(text::answer_splice{of.model->tokens});
  auto text = splice.apply(std::move(rendered));
  text::prompt_encoder aside{of.model->tokens, hasher_of(*of.model, of.tenant, of.cache_salt)};
  return aside.encode(std::move(text), rendered_options, splice.forced());
}

text::encoded_prompt session_prompts::encode_chat(const scope& of, const turn_prompt& prompt, std::string rendered) {
  const kept_scope wanted{of.model, of.tenant, of.cache_salt};
  const bool goes_on = splice_ && kept_ == wanted;
  if (of.keep) take_scope(of);
  const bool is_of_scope = splice_ && kept_ == wanted;
  auto beside = is_of_scope && !of.keep ? *splice_ : text::answer_splice{of.model->tokens};
  auto& splice = of.keep ? *splice_ : beside;
  const auto text = splice.apply(std::move(rendered));
  auto encoded = encode(of, text, rendered_options, splice.forced());
  text::prompt_roles aside;
  auto& roles = of.keep ? roles_ : aside;
  const auto before = goes_on ? roles.role_at(encoded.bytes_equal) : std::nullopt;
  roles.update({prompt.messages, prompt.tools, text, *of.model->tokens}, encoded);
  if (of.keep) departure_ = {before, before ? roles.role_at(encoded.bytes_equal) : std::nullopt};
  encoded.roles = roles.ranges();
  return encoded;
}

expected<text::encoded_prompt> session_prompts::encode_plain(const scope& of, const turn_prompt& prompt) {
  if (prompt.what == turn_prompt::kind::text) return encode(of, prompt.text, {.add_special_tokens = true, .parse_special_tokens = true});
  const auto size = static_cast<token_id>(of.model->tokens->size());
  for (const auto token : prompt.tokens)
    if (token < 0 || token >= size)
      return failure{errc::invalid_request, "token " + std::to_string(token) + " is not in the model's vocabulary", "prompt"};
  text::encoded_prompt encoded;
  encoded.tokens = prompt.tokens;
  hasher_of(*of.model, of.tenant, of.cache_salt).extend(encoded.chain, encoded.tokens);
  if (of.keep) {
    encoder_.reset();
    splice_.reset();
    kept_ = {of.model, of.tenant, of.cache_salt};
    plain_ = encoded;
    departure_ = {};
  }
  return encoded;
}

}  // namespace troupe::actors
