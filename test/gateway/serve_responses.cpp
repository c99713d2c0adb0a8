// OpenAI's Responses protocol over real sockets, with a store: what a client may go on from, read, list and delete.
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "engine/store/text_seal.hpp"
#include "gateway/response_store.hpp"
#include "gateway/routes.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const turn_usage usage{12, 8, 3, 1, 0, 0, 0};
const std::string path = "/v1/responses";

gateway::gateway_options storing_options(const std::filesystem::path& file = {}) {
  auto options = test_options();
  auto kept = gateway::response_store::open(file, {100, std::size_t{1} << 20, std::int64_t{1} << 40}, 0);
  REQUIRE(kept);
  options.responses = *kept;
  options.reasoning_seal = std::make_shared<store::text_seal>(store::block_cipher::key{});
  return options;
}

std::string ask(std::string_view members) { return R"({"model":"small",)" + std::string(members) + "}"; }

std::string id_of(const http_reply& reply) {
  REQUIRE(reply.status == 200);
  return string_at(parse_json(reply.body), "/id");
}

std::string error_of(const http_reply& reply) {
  const auto body = parse_json(reply.body);
  const auto& param = body.at_pointer("/error/param");
  return std::to_string(reply.status) + " " + string_at(body, "/error/code") + " " +
         (param.is_null() ? "" : std::string(param.as_string()));
}

std::vector<std::string> said_in(const turn_request& turn) {
  std::vector<std::string> texts;
  for (const auto& message : turn.prompt.messages)
    for (const auto& block : message.blocks) texts.push_back(block.text);
  return texts;
}

}  // namespace

TEST_CASE("a response is answered whole, can be had again, and is gone once it is deleted") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().started(12, 8).text("Hel").text("lo").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto reply = client.post(path, ask(R"("input":"Hi","metadata":{"k":"v"})"));
  const auto id = id_of(reply);
  CHECK(id.starts_with("resp_"));
  const auto body = parse_json(reply.body);
  CHECK(string_at(body, "/output/0/content/0/text") == "Hello");
  CHECK(string_at(body, "/metadata/k") == "v");
  CHECK(body.at_pointer("/usage/input_tokens_details/cached_tokens").as_int64() == 8);
  CHECK(client.get(path + "/" + id).body == reply.body);
  CHECK(error_of(client.get(path + "/" + id + "?stream=true")) == "400 unsupported_parameter stream");
  CHECK(error_of(client.post(path + "/" + id + "/cancel", "")) == "400 invalid_request response_id");
  CHECK(client.request("DELETE", path + "/" + id).body == R"({"id":")" + id + R"(","object":"response","deleted":true})");
  CHECK(error_of(client.get(path + "/" + id)) == "404 not_found response_id");
  CHECK(error_of(client.request("DELETE", path + "/" + id)) == "404 not_found response_id");
  CHECK(error_of(client.post(path + "/" + id + "/cancel", "")) == "404 not_found response_id");
  CHECK(error_of(client.get(path + "/" + id + "/input_items")) == "404 not_found response_id");
  CHECK(error_of(client.post(path, ask(R"("input":"Hi","previous_response_id":")" + id + "\""))) ==
        "400 previous_response_not_found previous_response_id");
}

TEST_CASE("whoever has seen the end of a stream can go on from it, in its session and without its instructions") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().started(12, 8).reasoning("hm").text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto stream = client.post(path, ask(R"("input":"a","stream":true,"instructions":"first only")"), {{"x-session-id", "lead"}});
  CHECK(stream.field("content-type") == "text/event-stream; charset=utf-8");
  CHECK(stream.body.starts_with("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"));
  const auto end = stream.body.rfind("data: ");
  const auto last = parse_json(stream.body.substr(end + 6, stream.body.size() - end - 8));
  CHECK(string_at(last, "/type") == "response.completed");
  const auto first = string_at(last, "/response/id");

  const auto second = id_of(client.post(path, ask(R"("input":[{"role":"user","content":"b"}],"previous_response_id":")" + first + "\"")));
  CHECK(said_in(fixture.node.turn(1)) == std::vector<std::string>{"first only", "a"});
  CHECK(said_in(fixture.node.turn(2)) == std::vector<std::string>{"a", "hm", "one", "b"});
  CHECK(fixture.node.spawn(2).id.value == "lead");
  CHECK_FALSE(fixture.node.turn(2).hints.final_turn);

  CHECK(client.request("DELETE", path + "/" + first).status == 200);
  id_of(client.post(path, ask(R"("input":"c","previous_response_id":")" + second + "\""), {{"x-session-id", "another"}}));
  CHECK(said_in(fixture.node.turn(3)) == std::vector<std::string>{"a", "hm", "one", "b", "hm", "one", "c"});
  CHECK(fixture.node.spawn(3).id.value == "another");
}

TEST_CASE("a response can be gone on from however deep its request was") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  std::string deep = "{}";
  for (int i = 0; i < 55; ++i) deep = R"({"items":)" + deep + "}";
  const auto reply = client.post(path, ask(R"("input":[{"role":"user","content":"a","deep":)" + deep +
                                           R"(}],"tools":[{"type":"function","name":"f","parameters":)" + deep + "}]"));
  REQUIRE(reply.status == 200);
  const auto first = reply.body.substr(reply.body.find("resp_"), 21);
  id_of(client.post(path, ask(R"("input":"b","previous_response_id":")" + first + "\"")));
  CHECK(said_in(fixture.node.turn(2)) == std::vector<std::string>{"a", "one", "b"});
}

TEST_CASE("an unnamed chain stays in its session though the instructions change") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto first = id_of(client.post(path, ask(R"("input":"a","instructions":"I")")));
  id_of(client.post(path, ask(R"("input":"b","instructions":"other","previous_response_id":")" + first + "\"")));
  CHECK(fixture.node.spawn(1).id.value.starts_with("auto-"));
  CHECK(fixture.node.spawn(2).id == fixture.node.spawn(1).id);
}

TEST_CASE("the items that a response was given are listed a page at a time") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto first = id_of(client.post(path, ask(R"("input":"a")")));
  const auto second =
      id_of(client.post(path, ask(R"("input":[{"id":"msg_b","role":"user","content":"b"}],"previous_response_id":")" + first + "\"")));
  const auto list = [&](const std::string& query) { return parse_json(client.get(path + "/" + second + "/input_items" + query).body); };
  const auto all = list("?order=asc");
  REQUIRE(all.at("data").as_array().size() == 3);
  CHECK(string_at(all, "/data/0/content/0/text") == "a");
  CHECK(string_at(all, "/data/1/content/0/text") == "one");
  CHECK(string_at(all, "/data/2/id") == "msg_b");
  CHECK(string_at(all, "/data/0/id") == "item_" + first.substr(5) + "0");
  CHECK(string_at(all, "/last_id") == "msg_b");
  CHECK_FALSE(all.at("has_more").as_bool());
  const auto newest = list("?limit=1");
  CHECK(string_at(newest, "/first_id") == "msg_b");
  CHECK(newest.at("has_more").as_bool());
  CHECK(string_at(list("?limit=1&after=msg_b"), "/data/0/content/0/text") == "one");
  CHECK(error_of(client.get(path + "/" + second + "/input_items?limit=0")) == "400 invalid_request limit");
  CHECK(error_of(client.get(path + "/" + second + "/input_items?after=no")) == "400 invalid_request after");
  CHECK(error_of(client.get(path + "/" + second + "/input_items?order=up")) == "400 invalid_request order");
}

TEST_CASE("what is not to be stored cannot be had, and its sealed reasoning comes back as it was") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().reasoning("raw thought").text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto reply = client.post(path, ask(R"("input":"a","store":false,"include":["reasoning.encrypted_content"])"));
  const auto body = parse_json(reply.body);
  CHECK(error_of(client.get(path + "/" + id_of(reply))) == "404 not_found response_id");
  const auto sealed = string_at(body, "/output/0/encrypted_content");
  id_of(client.post(
      path, ask(R"("store":false,"input":[{"role":"user","content":"a"},{"type":"reasoning","summary":[],"encrypted_content":")" + sealed +
                R"("},{"role":"user","content":"b"}])")));
  CHECK(said_in(fixture.node.turn(2)) == std::vector<std::string>{"a", "raw thought", "b"});
}

TEST_CASE("a reference to an item of a stored response brings the item") {
  serving fixture(storing_options());
  fixture.node.play(answer_events().reasoning("hm").text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto body = parse_json(client.post(path, ask(R"("input":"a")")).body);
  id_of(client.post(path, ask(R"("input":[{"role":"user","content":"a"},{"type":"item_reference","id":")" +
                              string_at(body, "/output/0/id") + R"("},{"type":"item_reference","id":")" + string_at(body, "/output/1/id") +
                              R"("},{"type":"item_reference","id":"rs_unknown"},{"role":"user","content":"b"}])")));
  CHECK(said_in(fixture.node.turn(2)) == std::vector<std::string>{"a", "hm", "one", "b"});
}

TEST_CASE("a response that its client has seen the end of is there after a restart of the server") {
  std::string name = (std::filesystem::temp_directory_path() / "troupe-serve-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const auto file = std::filesystem::path(name) / "responses.journal";
  std::string id, body;
  {
    serving fixture(storing_options(file));
    fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
    const auto reply = fixture.connect().post(path, ask(R"("input":"a")"));
    id = id_of(reply);
    body = reply.body;
    // As a crash would leave it: what counts is what is in the file now.
    std::filesystem::copy_file(file, file.string() + ".copy");
  }
  serving fixture(storing_options(file.string() + ".copy"));
  fixture.node.play(answer_events().text("two").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  CHECK(client.get(path + "/" + id).body == body);
  id_of(client.post(path, ask(R"("input":"b","previous_response_id":")" + id + "\"")));
  CHECK(said_in(fixture.node.turn(1)) == std::vector<std::string>{"a", "one", "b"});
  CHECK(fixture.node.spawn(1).id.value.starts_with("auto-"));
  std::filesystem::remove_all(name);
}

TEST_CASE("a server without a store answers and keeps nothing") {
  serving fixture;
  fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto reply = client.post(path, ask(R"("input":"a")"));
  CHECK_FALSE(parse_json(reply.body).at("store").as_bool());
  const auto id = id_of(reply);
  CHECK(error_of(client.get(path + "/" + id)) == "404 not_found response_id");
  CHECK(error_of(client.post(path, ask(R"("input":"a","previous_response_id":"resp_1")"))) ==
        "400 previous_response_not_found previous_response_id");
}

TEST_CASE("a response of another tenant is as unknown as one that never was") {
  const auto options = storing_options();
  store::stored_response mine;
  mine.tenant = "one";
  mine.id = "resp_00000000000000ab";
  mine.input = "[]";
  mine.body = R"({"id":"resp_00000000000000ab","output":[]})";
  std::promise<void> kept;
  options.responses->put(mine, [&kept](gateway::response_store::keeping) { kept.set_value(); });
  REQUIRE(kept.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);

  const auto answer = [&](const std::string& tenant, const std::string& method, const std::string& target, const std::string& body = {}) {
    gateway::route_context context{options};
    context.who.tenant = tenant;
    gateway::http_request request;
    request.method = method;
    request.path = target;
    request.body = body;
    auto result = gateway::dispatch(request, context);
    if (const auto* job = std::get_if<gateway::deferred_job>(&result)) {
      auto answered = std::make_shared<std::promise<gateway::route_result>>();
      auto later = answered->get_future();
      job->begin([answered](expected<gateway::http_response> got) {
        answered->set_value(got ? gateway::route_result(*got) : gateway::route_result(got.error()));
      });
      REQUIRE(later.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
      result = later.get();
    }
    if (const auto* error = std::get_if<failure>(&result)) return std::string(describe(error->code).name) + ": " + error->message;
    const auto* response = std::get_if<gateway::http_response>(&result);
    return response == nullptr ? std::string("a turn") : response->body;
  };
  const auto go_on = ask(R"("input":"a","previous_response_id":"resp_00000000000000ab")");
  CHECK(answer("one", "GET", path + "/" + mine.id) == mine.body);
  CHECK(answer("one", "POST", path, go_on) == "a turn");
  const auto unknown = "not_found: there is no response 'resp_00000000000000ab': it was not stored, was deleted, or is too old";
  CHECK(answer("two", "GET", path + "/" + mine.id) == unknown);
  CHECK(answer("two", "GET", path + "/" + mine.id + "/input_items") == unknown);
  CHECK(answer("two", "POST", path + "/" + mine.id + "/cancel") == unknown);
  CHECK(answer("two", "DELETE", path + "/" + mine.id) == unknown);
  CHECK(answer("two", "POST", path, go_on) ==
        "previous_response_not_found: there is no response 'resp_00000000000000ab' to go on from");
  CHECK(answer("one", "DELETE", path + "/" + mine.id) == R"({"id":"resp_00000000000000ab","object":"response","deleted":true})");
  CHECK(answer("one", "GET", path + "/" + mine.id) == unknown);
}

TEST_CASE("tokens of an input are counted without a turn") {
  serving fixture(storing_options());
  auto client = fixture.connect();
  CHECK(client.post(path + "/input_tokens", ask(R"("input":"Hello","instructions":"ab")")).body ==
        R"({"object":"response.input_tokens","input_tokens":7})");
  fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
  const auto id = id_of(client.post(path, ask(R"("input":"four")")));
  CHECK(client.post(path + "/input_tokens", ask(R"("input":"b","previous_response_id":")" + id + "\"")).body ==
        R"({"object":"response.input_tokens","input_tokens":8})");
  CHECK(error_of(client.post(path + "/input_tokens", ask(R"("input":7)"))) == "400 invalid_request input");
  CHECK(fixture.node.turns() == 1);
}

TEST_CASE("failures of a response have their status before the first byte and an event behind it") {
  serving fixture(storing_options());
  auto client = fixture.connect();
  fixture.node.play(answer_events().failed({errc::context_length_exceeded, "prompt is too long", ""}));
  CHECK(error_of(client.post(path, ask(R"("input":"a","stream":true)"))) == "400 context_length_exceeded ");
  fixture.node.play(answer_events().started(1, 0).text("a").failed({errc::worker_lost, "the worker died", ""}));
  const auto cut = client.post(path, ask(R"("input":"a","stream":true)"));
  CHECK(cut.status == 200);
  CHECK(cut.body.find("event: response.failed\ndata: {\"type\":\"response.failed\",") != std::string::npos);
  CHECK(cut.body.find(R"("status":"failed","error":{"code":"server_error","message":"the worker died"})") != std::string::npos);
}

TEST_CASE("a response that the store cannot take in time says that it is not stored, streamed and whole") {
  auto options = storing_options();
  options.response_wait = std::chrono::milliseconds(30);
  const auto kept = options.responses;
  std::promise<void> entered, released;
  const auto release = released.get_future().share();
  store::stored_response blocking;
  blocking.tenant = "default";
  blocking.id = "blocking";
  kept->put(blocking, [&entered, release](gateway::response_store::keeping) {
    entered.set_value();
    release.wait();
  });
  entered.get_future().wait();
  serving fixture(options);
  fixture.node.play(answer_events().started(12, 8).text("one").finished(turn_end::stop, usage));
  auto client = fixture.connect();
  const auto whole = client.post(path, ask(R"("input":"a")"));
  CHECK_FALSE(parse_json(whole.body).at("store").as_bool());
  const auto stream = client.post(path, ask(R"("input":"a","stream":true)")).body;
  const auto begun = stream.find("event: response.created"), ended = stream.find("event: response.completed");
  CHECK(stream.find(R"("store":true)", begun) < ended);
  CHECK(stream.find(R"("store":false)", ended) != std::string::npos);
  CHECK(error_of(client.request("DELETE", path + "/blocking")) == "504 deadline_exceeded ");
  released.set_value();
}

TEST_CASE("a deletion that its client has read of is still one after a crash") {
  std::string name = (std::filesystem::temp_directory_path() / "troupe-delete-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const auto file = std::filesystem::path(name) / "responses.journal";
  std::string id;
  {
    serving fixture(storing_options(file));
    fixture.node.play(answer_events().text("one").finished(turn_end::stop, usage));
    auto client = fixture.connect();
    id = id_of(client.post(path, ask(R"("input":"a")")));
    CHECK(client.request("DELETE", path + "/" + id).status == 200);
    std::filesystem::copy_file(file, file.string() + ".copy");
  }
  serving fixture(storing_options(file.string() + ".copy"));
  CHECK(error_of(fixture.connect().get(path + "/" + id)) == "404 not_found response_id");
  std::filesystem::remove_all(name);
}
