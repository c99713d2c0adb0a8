// The fields that chat and legacy completions share: sampling, lengths, stops, and what is refused rather than ignored.
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/openai_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

constexpr std::int64_t tokens_limit = INT32_MAX;

void read_penalties(const json_reader& body, sampling_wish& wish) {
  body.read("repetition_penalty", wish.repetition_penalty, {.min = 0, .max = 100, .above_min = true});
  body.read("presence_penalty", wish.presence_penalty, {.min = -2, .max = 2});
  body.read("frequency_penalty", wish.frequency_penalty, {.min = -2, .max = 2});
}

void read_wish(const json_reader& body, sampling_wish& wish) {
  body.read("temperature", wish.temperature, {.min = 0, .max = 2});
  body.read("top_p", wish.top_p, {.min = 0, .max = 1, .above_min = true});
  body.read("min_p", wish.min_p, {.min = 0, .max = 1});
  // -1 and 0 both keep all; in a wish -1 would mean that the client did not say.
  if (body.read("top_k", wish.top_k, {.min = -1, .max = tokens_limit}) && wish.top_k < 0) wish.top_k = 0;
  read_penalties(body, wish);
  std::int64_t seed = 0;
  if (body.read("seed", seed, {})) {
    wish.seed = static_cast<std::uint64_t>(seed);
    wish.has_seed = true;
  }
}

void read_stop_string(const json::value& value, const std::string& path, turn_request& turn, first_failure& failed) {
  if (!value.is_string()) return refuse_type(failed, path, "a string");
  const auto& text = value.get_string();
  if (text.empty() || text.size() > limits::stop_string_bytes_max)
    return refuse_type(failed, path, "between 1 and " + std::to_string(limits::stop_string_bytes_max) + " bytes long");
  turn.stop.emplace_back(text.data(), text.size());
}

void refuse_parameter(const json_reader& body, std::string_view key, std::string_view why) {
  const auto path = body.path_of(key);
  body.failed().report(errc::unsupported_parameter, "'" + path + "' " + std::string(why), path);
}

void refuse_above_one(const json_reader& body, std::string_view key) {
  std::int64_t count = 1;
  if (body.read(key, count, {.min = 1}) && count > 1) refuse_parameter(body, key, "can only be 1");
}

}  // namespace

void read_token_ids(const json::array& array, const std::string& path, std::vector<token_id>& out, first_failure& failed) {
  out.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    // The path is made only for the entry that fails: a prompt may have half a million.
    const auto* fast = array[i].if_int64();
    if (fast != nullptr && *fast >= 0 && *fast <= tokens_limit) {
      out.push_back(static_cast<token_id>(*fast));
      continue;
    }
    const auto number = read_integer(array[i], index_path(path, i), {.min = 0, .max = tokens_limit}, failed);
    if (!number) return;
    out.push_back(static_cast<token_id>(*number));
  }
}

void read_stop_strings(const json_reader& body, std::string_view key, turn_request& turn) {
  const auto* stop = body.find(key);
  if (stop == nullptr) return;
  const auto path = body.path_of(key);
  if (stop->is_string()) return read_stop_string(*stop, path, turn, body.failed());
  const auto* list = stop->if_array();
  if (list == nullptr) return refuse_type(body.failed(), path, "a string or an array of strings");
  if (list->size() > limits::stop_strings_max)
    return body.refuse(key, "must have at most " + std::to_string(limits::stop_strings_max) + " entries");
  for (std::size_t i = 0; i < list->size(); ++i) read_stop_string((*list)[i], index_path(path, i), turn, body.failed());
}

void read_sampling(const json_reader& body, turn_request& turn) {
  read_wish(body, turn.sampling);
  if (!body.read("max_completion_tokens", turn.tokens_max, {.min = 1, .max = tokens_limit}))
    body.read("max_tokens", turn.tokens_max, {.min = 1, .max = tokens_limit});
  body.read("min_tokens", turn.tokens_min, {.min = 0, .max = tokens_limit});
  if (turn.tokens_max != 0 && turn.tokens_min > turn.tokens_max) body.refuse("min_tokens", "must not be above max_tokens");
  read_stop_strings(body, "stop", turn);
  if (const auto* ids = body.array("stop_token_ids")) read_token_ids(*ids, "stop_token_ids", turn.stop_tokens, body.failed());
  body.read("ignore_eos", turn.ignore_eos);
  body.read("skip_special_tokens", turn.skip_special_tokens);
  body.read("cache_salt", turn.cache_salt);
}

void read_answer_wish(const json_reader& body, answer_wish& wish) {
  body.read("model", wish.model);
  body.read("stream", wish.stream);
  if (const auto* options = body.object("stream_options"))
    json_reader(*options, "stream_options", body.failed()).read("include_usage", wish.include_usage);
}

void refuse_unoffered(const json_reader& body) {
  refuse_above_one(body, "n");
  refuse_above_one(body, "best_of");
  bool echo = false;
  if (body.read("echo", echo) && echo) refuse_parameter(body, "echo", "is not offered");
  if (const auto* bias = body.object("logit_bias"); bias != nullptr && !bias->empty())
    refuse_parameter(body, "logit_bias", "is not offered");
  const auto* format = body.object("response_format");
  if (format == nullptr) return;
  std::string type = "text";
  const json_reader reader(*format, "response_format", body.failed());
  if (reader.read("type", type) && type != "text") refuse_parameter(reader, "type", "can only be 'text'");
}

}  // namespace troupe::gateway
