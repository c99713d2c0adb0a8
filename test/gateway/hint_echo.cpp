// What every protocol's writer tells of hints, and where: behind its last data, once.
#include "gateway/hint_echo.hpp"

#include <doctest/doctest.h>

#include "gateway/messages_stream.hpp"
#include "gateway/openai_stream.hpp"
#include "gateway/responses_stream.hpp"
#include "test/support/fake_node.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::answer_events;

namespace {

turn_usage missed() {
  turn_usage usage{10, 8, 4, 2, 0, 0, 0};
  usage.miss = {cache_miss_reason::tools_changed, 48};
  return usage;
}

answer_shape asked() {
  answer_shape shape;
  shape.id = "x";
  shape.model = "small";
  shape.hints = R"("applied":{},"clipped":{},"ignored":{})";
  shape.diagnose_cache = true;
  return shape;
}

std::string write(answer_writer& writer) {
  std::string out;
  for (const auto& event : answer_events().started(10, 8).text("hi").finished(turn_end::stop, missed()).all()) {
    if (const auto* started = std::get_if<turn_started>(&event)) writer.started(*started, out);
    if (const auto* delta = std::get_if<turn_delta>(&event)) writer.delta(*delta, out);
    if (const auto* finished = std::get_if<turn_finished>(&event)) writer.finished(*finished, out);
  }
  return out;
}

std::size_t count(const std::string& text, std::string_view word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

const std::string echo =
    R"(,"agent_hints":{"applied":{},"clipped":{},"ignored":{},"cache_miss":{"reason":"tools_changed","missed_tokens":48}})";
const std::string diagnostics = R"(,"prompt_cache_diagnostics":{"cache_miss":{"reason":"tools_changed","cache_missed_tokens":48}})";

}  // namespace

TEST_CASE("OpenAI's answers tell of hints and of the cache at their end, whole and streamed") {
  auto shape = asked();
  CHECK(write(*make_chat_writer(shape)).ends_with("}}" + echo + diagnostics + "}"));
  CHECK(write(*make_completion_writer(shape)).ends_with("}}" + echo + diagnostics + "}"));
  shape.stream = true;
  const std::string end = "}\n\ndata: [DONE]\n\n";
  CHECK(write(*make_chat_writer(shape)).ends_with(R"("finish_reason":"stop"}])" + echo + diagnostics + end));
  CHECK(write(*make_completion_writer(shape)).ends_with(R"("finish_reason":"stop"}])" + echo + diagnostics + end));
  shape.include_usage = true;
  CHECK(write(*make_chat_writer(shape)).ends_with(R"("reasoning_tokens":2}})" + echo + diagnostics + end));
  CHECK(count(write(*make_chat_writer(shape)), "agent_hints") == 1);
  CHECK(count(write(*make_completion_writer(shape)), "agent_hints") == 1);
}

TEST_CASE("Messages tell of hints in the answer, and with message_delta") {
  auto shape = asked();
  CHECK(write(*make_messages_writer(shape)).ends_with(echo + "}"));
  shape.stream = true;
  const auto stream = write(*make_messages_writer(shape));
  CHECK(stream.ends_with(echo + "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  CHECK(count(stream, "agent_hints") == 1);
}

TEST_CASE("Responses tell of hints and of the cache in the response object, whole and as the stream completes") {
  auto shape = asked();
  const auto wish = std::make_shared<responses_wish>();
  wish->echo = R"("tools":[])";
  CHECK(write(*make_responses_writer(shape, wish, {})).ends_with(R"("total_tokens":14})" + echo + diagnostics + "}"));
  shape.stream = true;
  const auto stream = write(*make_responses_writer(shape, wish, {}));
  CHECK(stream.ends_with(R"("total_tokens":14})" + echo + diagnostics + "}}\n\n"));
  CHECK(count(stream, "agent_hints") == 1);
  CHECK(count(stream, "prompt_cache_diagnostics") == 1);
}

TEST_CASE("who has asked for the diagnosis alone is told that alone, and nothing missed is null") {
  auto shape = asked();
  shape.hints.clear();
  std::string out;
  append_openai_hints(out, shape, missed());
  CHECK(out == diagnostics);
  out.clear();
  append_openai_hints(out, shape, {});
  CHECK(out == R"(,"prompt_cache_diagnostics":{"cache_miss":null})");
  out.clear();
  append_agent_hints(out, shape, missed());
  CHECK(out == "");
}
