// The audit log over real sockets: one line for each request, once nothing of it goes on.
#include <boost/json/serialize.hpp>

#include "gateway/audit_log.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;
namespace json = boost::json;

namespace {

const turn_usage usage{12, 8, 3, 1, 0, 0, 0};

/// Lines are complete once it has ended.
class audited_server {
 public:
  explicit audited_server(gateway::audit_content content = gateway::audit_content::none,
                          gateway::gateway_options options = test_options()) {
    gateway::audit_options audit;
    audit.style = {content, {"sk-*"}, 1000};
    auto log = std::make_shared<gateway::audit_log>(audit, [this](const std::string& line) {
      lines_.push_back(parse_json(line));
      return true;
    });
    options.audit = std::move(log);
    fixture_ = std::make_unique<serving>(std::move(options));
    node().play(answer_events().started(12, 8).text("Hello sk-1").finished(turn_end::stop, usage));
  }

  fake_node& node() { return fixture_->node; }
  [[nodiscard]] http_client connect() const { return fixture_->connect(); }
  const std::vector<json::value>& end() {
    fixture_.reset();
    return lines_;
  }

 private:
  std::vector<json::value> lines_;  // the log's thread's, until it has ended
  std::unique_ptr<serving> fixture_;
};

std::string text_at(const json::value& line, std::string_view name) {
  const auto& value = line.at(name);
  return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
}

}  // namespace

TEST_CASE("a turn's line has its session, model, tokens and status, whole and streamed") {
  audited_server server;
  auto client = server.connect();
  client.post(chat_path, hello, {{"x-session-id", "lead"}, {"x-request-id", "r-1"}, {"authorization", "Bearer tk-secret"}});
  client.post(chat_path + "?beside=1", hello_stream, {{"x-session-id", "lead"}});
  const auto& lines = server.end();
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) {
    CHECK(text_at(line, "client") == "127.0.0.1");
    CHECK(text_at(line, "tenant") == "default");
    CHECK(text_at(line, "session") == "lead");
    CHECK(text_at(line, "path") == chat_path);
    CHECK(text_at(line, "model") == "small");
    CHECK(text_at(line, "status") == "200");
    CHECK(text_at(line, "prompt_tokens") == "12");
    CHECK(text_at(line, "cached_tokens") == "8");
    CHECK(text_at(line, "output_tokens") == "3");
    CHECK(json::serialize(line).find("tk-secret") == std::string::npos);
  }
  CHECK(text_at(lines[0], "request") == "r-1");
}

TEST_CASE("whatever is answered or left without a turn has a line too") {
  audited_server server;
  auto client = server.connect();
  client.get("/v1/models");
  client.get("/nothing");
  client.post(chat_path, "{");
  client.send("hello there\r\n\r\n");
  CHECK(client.receive().status == 400);
  server.node().play(answer_events().started(12, 8));
  auto leaving = server.connect();
  leaving.send_request("POST", chat_path, hello);
  server.node().turn(1);
  leaving.close();
  server.node().cancel(1);
  const auto& lines = server.end();
  REQUIRE(lines.size() == 5);
  const std::vector<std::string> statuses{"200", "404", "400", "400", "null"};
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(text_at(lines[i], "status") == statuses[i]);
  CHECK(text_at(lines[1], "path") == "/nothing");
  CHECK(text_at(lines[2], "model") == "null");
}

TEST_CASE("a stranger's line names nobody, and never the key that he tried") {
  auto options = test_options();
  gateway::access_key key;
  key.hash = gateway::hash_of_key("tk-ours");
  key.who.tenant = "ours";
  key.who.key_name = "ci";
  options.keys = gateway::key_ring({key});
  options.tenants = {{"ours", 0, 0}};
  audited_server server(gateway::audit_content::full, options);
  CHECK(server.connect().get("/v1/models", {{"x-api-key", "tk-guess"}}).status == 401);
  CHECK(server.connect().get("/v1/models", {{"x-api-key", "tk-ours"}}).status == 200);
  const auto& lines = server.end();
  REQUIRE(lines.size() == 2);
  CHECK(text_at(lines[0], "key") == "null");
  CHECK(text_at(lines[0], "status") == "401");
  CHECK(text_at(lines[1], "key") == "ci");
  CHECK(text_at(lines[1], "tenant") == "ours");
  for (const auto& line : lines) CHECK(json::serialize(line).find("tk-") == std::string::npos);
}

TEST_CASE("full content is the request's body and what the model said, without secrets") {
  audited_server server(gateway::audit_content::full);
  server.connect().post(chat_path, R"({"model":"small","stream":true,"messages":[{"role":"user","content":"my sk-2 key"}]})");
  const auto& lines = server.end();
  REQUIRE(lines.size() == 1);
  CHECK(text_at(lines[0], "body") == R"({"model":"small","stream":true,"messages":[{"role":"user","content":"my [redacted] key"}]})");
  CHECK(text_at(lines[0], "answer") == "Hello [redacted]");
}

TEST_CASE("a keyed turn's line waits for the turn, its repeat's does not") {
  audited_server server;
  const http_fields key{{"idempotency-key", "k"}};
  server.node().play(answer_events().started(12, 8));
  auto first = server.connect();
  first.send_request("POST", chat_path, hello_stream, key);
  first.read_until("\r\n\r\n");
  first.close();
  turn_finished end;
  end.usage = usage;
  server.node().send(1, end);
  CHECK(server.connect().post(chat_path, hello_stream, key).field("idempotent-replayed") == "true");
  const auto& lines = server.end();
  REQUIRE(lines.size() == 2);
  const auto& repeat = lines[0].as_object().contains("repeat") ? lines[0] : lines[1];
  const auto& original = &repeat == &lines[0] ? lines[1] : lines[0];
  CHECK(text_at(repeat, "status") == "200");
  CHECK(text_at(repeat, "output_tokens") == "null");
  CHECK(text_at(original, "status") == "200");
  CHECK(text_at(original, "output_tokens") == "3");
}
