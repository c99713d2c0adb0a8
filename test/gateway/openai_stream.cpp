#include "gateway/openai_stream.hpp"

#include <doctest/doctest.h>

#include "test/gateway/written_answer.hpp"

using namespace troupe;
using namespace troupe::gateway;
using test::answer_events;
using test::write;

namespace {

answer_shape shape_of(std::string id) {
  answer_shape shape;
  shape.id = std::move(id);
  shape.model = "small";
  shape.fingerprint = "fp_test";
  shape.created_s = 1700;
  shape.turn.value = 0xAB;
  return shape;
}

const std::string chunk_head =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700,"model":"small","system_fingerprint":"fp_test",)";
const std::string chunk = chunk_head + R"("choices":[{"index":0,"delta":{)";
const std::string chunk_end = "},\"finish_reason\":null}]}\n\n";
const std::string usage_json =
    R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":2}})";
const turn_usage usage{10, 8, 4, 2, 0, 0, 0};

}  // namespace

TEST_CASE("a chat stream has a role chunk, deltas, a finish chunk and an end, byte for byte") {
  auto shape = shape_of("chatcmpl-1");
  shape.stream = true;
  const auto writer = make_chat_writer(shape);
  const auto out = write(*writer, answer_events().started(10, 8).reasoning("hm").text("a \"b\"\n").finished(turn_end::stop, usage));
  CHECK(out == chunk + R"("role":"assistant","content":"")" + chunk_end +  //
                   chunk + R"("reasoning_content":"hm")" + chunk_end +     //
                   chunk + R"("content":"a \"b\"\n")" + chunk_end +        //
                   chunk + "},\"finish_reason\":\"stop\"}]}\n\n" +         //
                   "data: [DONE]\n\n");
}

TEST_CASE("the usage chunk comes last when it was asked for") {
  auto shape = shape_of("chatcmpl-1");
  shape.stream = shape.include_usage = true;
  const auto writer = make_chat_writer(shape);
  const auto out = write(*writer, answer_events().finished(turn_end::length, usage));
  CHECK(out == chunk + R"("role":"assistant","content":"")" + chunk_end +             //
                   chunk + "},\"finish_reason\":\"length\"}]}\n\n" +                  //
                   chunk_head + "\"choices\":[],\"usage\":" + usage_json + "}\n\n" +  //
                   "data: [DONE]\n\n");
}

TEST_CASE("streamed tool calls carry id and name once, then fragments of their arguments") {
  auto shape = shape_of("chatcmpl-1");
  shape.stream = true;
  const auto writer = make_chat_writer(shape);
  const auto out = write(*writer, answer_events()
                                      .tool(0, "call_a", "ls")
                                      .arguments(0, "{\"p\":")
                                      .arguments(0, "1}")
                                      .tool(1, "", "pwd")
                                      .finished(turn_end::tool_calls, usage));
  CHECK(out ==
        chunk + R"("role":"assistant","content":"")" + chunk_end +  //
            chunk + R"("tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"ls","arguments":""}}])" + chunk_end +
            chunk + R"("tool_calls":[{"index":0,"function":{"arguments":"{\"p\":"}}])" + chunk_end +  //
            chunk + R"("tool_calls":[{"index":0,"function":{"arguments":"1}"}}])" + chunk_end +       //
            chunk +
            R"("tool_calls":[{"index":1,"id":"call_00000000000000ab1","type":"function","function":{"name":"pwd","arguments":""}}])" +
            chunk_end +                                            //
            chunk + "},\"finish_reason\":\"tool_calls\"}]}\n\n" +  //
            "data: [DONE]\n\n");
}

TEST_CASE("streamed log probabilities stand beside their delta") {
  auto shape = shape_of("chatcmpl-1");
  shape.stream = shape.logprobs = true;
  const auto writer = make_chat_writer(shape);
  const auto out = write(*writer, answer_events().scored("é", -0.5F, {{"é", -0.5F}, {"\xC3", -2}}));
  CHECK(out == chunk + R"("role":"assistant","content":"")" + chunk_end + chunk +
                   R"("content":"é"},"logprobs":{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[)" +
                   R"({"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":")" + "\xEF\xBF\xBD" + R"(","logprob":-2,"bytes":[195]}]}],"refusal":null)" +
                   chunk_end);
}

TEST_CASE("a whole chat answer joins its pieces") {
  const auto writer = make_chat_writer(shape_of("chatcmpl-1"));
  const auto out = write(*writer, answer_events()
                                      .started(10, 8)
                                      .reasoning("h")
                                      .reasoning("m")
                                      .text("a")
                                      .text("b")
                                      .tool(0, "call_a", "ls")
                                      .arguments(0, "{\"p\":")
                                      .arguments(0, "1}")
                                      .tool(1, "call_b", "pwd")
                                      .finished(turn_end::tool_calls, usage));
  CHECK(out ==
        R"({"id":"chatcmpl-1","object":"chat.completion","created":1700,"model":"small","system_fingerprint":"fp_test",)"
        R"("choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,"reasoning_content":"hm","tool_calls":[)"
        R"({"id":"call_a","type":"function","function":{"name":"ls","arguments":"{\"p\":1}"}},)"
        R"({"id":"call_b","type":"function","function":{"name":"pwd","arguments":""}}]},)"
        R"("logprobs":null,"finish_reason":"tool_calls"}],"usage":)" +
            usage_json + "}");
}

TEST_CASE("content is null only beside tool calls") {
  const auto empty = make_chat_writer(shape_of("c"));
  CHECK(write(*empty, answer_events().finished(turn_end::stop, usage)).find("\"content\":\"\"") != std::string::npos);
  const auto calls = make_chat_writer(shape_of("c"));
  CHECK(write(*calls, answer_events().tool(0, "x", "y").finished(turn_end::tool_calls, usage)).find("\"content\":null") !=
        std::string::npos);
}

TEST_CASE("a whole chat answer has its log probabilities in one list") {
  auto shape = shape_of("c");
  shape.logprobs = true;
  const auto writer = make_chat_writer(shape);
  const auto out = write(*writer, answer_events().scored("a", -1, {}).scored("b", -2, {}).finished(turn_end::stop, usage));
  CHECK(out.find(R"("logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]},)"
                 R"({"token":"b","logprob":-2,"bytes":[98],"top_logprobs":[]}],"refusal":null},)") != std::string::npos);
}

TEST_CASE("a completion stream carries text chunks") {
  auto shape = shape_of("cmpl-1");
  shape.stream = shape.include_usage = shape.logprobs = true;
  const auto writer = make_completion_writer(shape);
  const std::string head =
      R"(data: {"id":"cmpl-1","object":"text_completion","created":1700,"model":"small","system_fingerprint":"fp_test",)";
  const auto out =
      write(*writer,
            answer_events().started(10, 8).scored("é", -0.5F, {{"x", -3}}).scored("b", -1, {}).text("c").finished(turn_end::stop, usage));
  CHECK(
      out ==
      head +
          R"("choices":[{"index":0,"text":"é","logprobs":{"tokens":["é"],"token_logprobs":[-0.5],"top_logprobs":[{"x":-3}],"text_offset":[0]},)" +
          "\"finish_reason\":null}]}\n\n" +  //
          head +
          R"("choices":[{"index":0,"text":"b","logprobs":{"tokens":["b"],"token_logprobs":[-1],"top_logprobs":[{}],"text_offset":[1]},)" +
          "\"finish_reason\":null}]}\n\n" +                                                                 //
          head + R"("choices":[{"index":0,"text":"c","logprobs":null,"finish_reason":null}]})" + "\n\n" +   //
          head + R"("choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]})" + "\n\n" +  //
          head + R"("choices":[],"usage":)" + usage_json + "}\n\ndata: [DONE]\n\n");
}

TEST_CASE("a whole completion joins its text and its parallel lists") {
  auto shape = shape_of("cmpl-1");
  shape.logprobs = true;
  const auto writer = make_completion_writer(shape);
  const auto out =
      write(*writer, answer_events().scored("a", -1, {}).scored("b", -2, {{"b", -2}, {"c", -3}}).finished(turn_end::length, usage));
  CHECK(out ==
        R"({"id":"cmpl-1","object":"text_completion","created":1700,"model":"small","system_fingerprint":"fp_test","choices":[{"index":0,)"
        R"("text":"ab","logprobs":{"tokens":["a","b"],"token_logprobs":[-1,-2],"top_logprobs":[{},{"b":-2,"c":-3}],"text_offset":[0,1]},)"
        R"("finish_reason":"length"}],"usage":)" +
            usage_json + "}");
}
