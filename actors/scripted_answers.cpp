#include "actors/scripted_answers.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

namespace troupe::actors {
namespace {

// Seeds seen at once: far above what runs in a batch; forgetting them all only restarts answers that are half told.
constexpr std::size_t places_max = 65'536;

}  // namespace

scripted_answers::scripted_answers(std::vector<std::vector<token_id>> answers, token_id end) : answers_(std::move(answers)), end_(end) {}

token_id scripted_answers::at(std::uint64_t seed, std::uint64_t position) {
  const auto& answer = answers_[seed % answers_.size()];
  const std::lock_guard lock(mutex_);
  if (places_.size() >= places_max && !places_.contains(seed)) places_.clear();
  auto& now = places_[seed];
  const bool follows = position == now.position + 1 && now.offset <= answer.size();
  if (!follows) now.offset = 0;
  now.position = position;
  const auto offset = now.offset++;
  return offset < answer.size() ? answer[offset] : end_;
}

expected<core::token_source> load_scripted_answers(const std::filesystem::path& file, const text::tokenizer& tokens, token_id end) {
  std::ifstream stream(file);
  if (!stream) return failure{errc::io_failed, "cannot read " + file.string(), "timing_script"};
  const auto parsed = nlohmann::json::parse(stream, nullptr, false);
  const bool strings = parsed.is_array() && !parsed.empty() && std::all_of(parsed.begin(), parsed.end(), [](const auto& each) { return each.is_string(); });
  if (!strings) return failure{errc::corrupt_data, file.string() + " is not a JSON list of strings", "timing_script"};
  std::vector<std::vector<token_id>> answers;
  for (const auto& each : parsed)
    answers.push_back(tokens.encode(each.get<std::string>(), {.add_special_tokens = false, .parse_special_tokens = true}));
  auto script = std::make_shared<scripted_answers>(std::move(answers), end);
  return core::token_source([script](std::uint64_t seed, std::uint64_t position) { return script->at(seed, position); });
}

}  // namespace troupe::actors
