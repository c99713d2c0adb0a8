// JSON bodies, with header fields, through the routes of every protocol. The first line holds the path's number and what the actors do, as
// two digits; then header fields, an empty line, the body. What holds: a failure has a message, what was read renders to a JSON object of
// bounded size, frames and whole answers are JSON, and so is what a client is told of its hints.
#include <array>
#include <nlohmann/json.hpp>

#include "gateway/routes.hpp"
#include "test/fuzz/fuzz_input.hpp"
#include "test/fuzz/gateway_stage.hpp"

namespace {

using namespace troupe;
using namespace troupe::gateway;
using fuzz::demand;
using json = nlohmann::json;

constexpr std::array<std::string_view, 10> paths{"/v1/chat/completions",   "/v1/completions", "/v1/responses",
                                                 "/v1/messages",           "/v1/messages/count_tokens", "/v1/responses/input_tokens",
                                                 "/v1/kv_hints",           "/v1/sessions",    "/v1/sessions/lead/events",
                                                 "/tokenize"};

http_request read_request(fuzz::input_reader& input, fuzz::turn_play& play) {
  http_request request;
  const auto line = input.until('\n');
  const auto digit = [&](std::size_t at) { return at < line.size() ? static_cast<unsigned char>(line[at]) - '0' : 0; };
  request.method = "POST";
  request.path = paths[static_cast<unsigned>(digit(0)) % paths.size()];
  play = static_cast<fuzz::turn_play>(static_cast<unsigned>(digit(1)) % fuzz::turn_plays);
  for (auto field = input.until('\n'); !field.empty(); field = input.until('\n')) {
    const auto colon = field.find(": ");
    if (colon != field.npos) request.fields.push_back({std::string(field.substr(0, colon)), std::string(field.substr(colon + 2))});
  }
  request.body = input.rest();
  return request;
}

void check_prompt(const turn_request& turn, const gateway_model& model, std::size_t bytes) {
  if (turn.prompt.what != turn_prompt::kind::chat) return;
  const auto rendered = model.template_input(turn);
  if (!rendered) return demand(!rendered.error().message.empty(), "a failure has a message");
  demand(json::accept(*rendered), "what templates read is JSON", *rendered);
  demand(rendered->size() <= 8 * bytes + 4096, "what templates read is bounded by the request");
}

/// A stream: every `data:` is JSON, but for the last one of OpenAI's.
void check_frames(std::string_view out) {
  while (!out.empty()) {
    const auto line = out.substr(0, out.find('\n'));
    out.remove_prefix(std::min(out.size(), line.size() + 1));
    if (line.starts_with("data: ") && line != "data: [DONE]") demand(json::accept(line.substr(6)), "a frame is JSON", line);
  }
}

void check_turn(turn_job& job, const gateway_model& model, std::size_t bytes, fuzz::turn_play play) {
  check_prompt(job.turn, model, bytes);
  for (const auto& field : job.fields)
    demand(field.value.find_first_of("\r\n") == std::string::npos, "a field is one line", field.value);
  std::string out;
  bool ended = false;
  for (const auto& event : fuzz::events_of(play, job.turn)) {
    if (const auto* started = std::get_if<turn_started>(&event)) job.writer->started(*started, out);
    if (const auto* delta = std::get_if<turn_delta>(&event)) job.writer->delta(*delta, out);
    const auto* finished = std::get_if<turn_finished>(&event);
    if (finished == nullptr) continue;
    ended = finished->how != turn_end::failed;
    if (ended) job.writer->finished(*finished, out);
    if (!ended && job.stream) job.writer->failed(finished->error, "request", out);
  }
  if (job.stream) return check_frames(out);
  if (ended) demand(json::accept(out), "an answer is JSON", out);
}

void check_response(const http_response& response) {
  demand(response.status >= 200 && response.status < 600, "a response has a status");
  if (response.content_type == "application/json" && !response.body.empty()) demand(json::accept(response.body), "a body is JSON", response.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto options = fuzz::stage_options();
  fuzz::input_reader input(data, size);
  auto play = fuzz::turn_play::text;
  const auto request = read_request(input, play);
  std::uint64_t drawn = 0;
  const route_context context{options, [&drawn] { return ++drawn; }, 1'700'000'000, std::make_shared<conversation_index>(16)};
  auto result = dispatch(request, context);
  if (const auto* failed = std::get_if<failure>(&result)) demand(!failed->message.empty(), "a failure has a message");
  if (const auto* refused = std::get_if<refusal>(&result)) demand(!refused->why.message.empty(), "a refusal has a message");
  if (const auto* response = std::get_if<http_response>(&result)) check_response(*response);
  if (auto* control = std::get_if<control_job>(&result)) check_response(control->answer(fuzz::answer_to(control->request)));
  if (auto* turn = std::get_if<turn_job>(&result)) check_turn(*turn, options.models.front(), request.body.size(), play);
  return 0;
}
