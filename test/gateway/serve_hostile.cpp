// What no honest client sends, and what odd ones do: over real sockets.
#include <zlib.h>
#include <zstd.h>

#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

const std::string head = " HTTP/1.1\r\nhost: localhost\r\n";
const std::string tokenize_ab = R"({"tokens":[1,97,98],"count":3,"max_model_len":4096})";

std::string code_of(const http_reply& reply) { return string_at(parse_json(reply.body), "/error/code"); }

/// Everything that comes until the server closes.
std::string say(const serving& fixture, const std::string& bytes) {
  auto client = fixture.connect();
  client.send(bytes);
  return client.read_to_end();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace

TEST_CASE("many fields are taken as long as the header is not too long") {
  serving fixture;
  std::string fields;
  for (int i = 0; i < 2000; ++i) fields += "x-" + std::to_string(i) + ": a\r\n";
  auto client = fixture.connect();
  client.send("GET /live" + head + fields + "\r\n");
  CHECK(client.receive().status == 200);
  client.send("GET /live" + head + fields + fields + fields + fields + "\r\n");
  const auto refused = client.receive();
  CHECK(refused.status == 431);
  CHECK(code_of(refused) == "headers_too_large");
}

TEST_CASE("JSON nests as deep as it may and no deeper") {
  serving fixture;
  auto client = fixture.connect();
  const auto nested = [](int depth) { return R"({"prompt":"ab","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  CHECK(client.post("/tokenize", nested(63)).body == tokenize_ab);
  CHECK(client.post("/tokenize", nested(64)).status == 400);
  CHECK(client.post("/tokenize", nested(100'000)).status == 400);
  CHECK(client.post("/tokenize", R"({"prompt":"ab"})").body == tokenize_ab);
}

TEST_CASE("bodies in other encodings are refused in the protocol's shape, and the connection stays") {
  serving fixture;
  auto client = fixture.connect();
  const std::string utf16("\xFF\xFE{\0}\0", 6);
  const std::string nul("{\"messages\":\0[]}", 16);
  const std::string raw_nul = std::string("{\"model\":\"a") + '\0' + "\"}";
  const std::string latin1 = "{\"messages\":[{\"role\":\"user\",\"content\":\"caf\xE9\"}]}";
  const std::string surrogate = "{\"messages\":[{\"role\":\"user\",\"content\":\"\xED\xA0\x80\"}]}";
  const std::string overlong = "{\"messages\":[{\"role\":\"user\",\"content\":\"\xC0\xAF\"}]}";
  for (const auto& body : {utf16, nul, raw_nul, latin1, surrogate, overlong}) {
    const auto refused = client.post(chat_path, body);
    CHECK(refused.status == 400);
    CHECK(code_of(refused) == "invalid_request");
    CHECK(string_at(parse_json(client.post("/v1/messages", body).body), "/error/type") == "invalid_request_error");
  }
  CHECK(fixture.node.turns() == 0);
  CHECK(client.get("/live").status == 200);
}

TEST_CASE("of a field that is there twice the last one counts") {
  serving fixture;
  auto client = fixture.connect();
  CHECK(client.post("/tokenize", R"({"prompt":"x","prompt":"ab"})").body == tokenize_ab);
}

TEST_CASE("compressed bodies are read") {
  serving fixture;
  auto client = fixture.connect();
  const std::string body = R"({"prompt":"ab"})";
  std::string zstd(ZSTD_compressBound(body.size()), '\0');
  zstd.resize(ZSTD_compress(zstd.data(), zstd.size(), body.data(), body.size(), 1));
  CHECK(client.post("/tokenize", zstd, {{"content-encoding", "zstd"}}).body == tokenize_ab);
  const auto refused = client.post("/tokenize", body, {{"content-encoding", "br"}});
  CHECK(refused.status == 415);
  CHECK(code_of(refused) == "unsupported_encoding");
  CHECK(client.post("/tokenize", body, {{"content-encoding", "gzip"}}).status == 400);
}

TEST_CASE("hundreds of requests in one piece are answered in their order") {
  serving fixture;
  fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, {}));
  auto client = fixture.connect();
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const auto body = i % 3 == 0 ? hello_stream : R"({"prompt":")" + std::string(i, 'x') + "\"}";
    if (i % 3 == 2)
      bytes += "GET /v1/models/n" + std::to_string(i) + head + "\r\n";
    else
      bytes +=
          "POST " + (i % 3 == 0 ? chat_path : "/tokenize") + head + "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  client.send(bytes);
  for (int i = 0; i < 300; ++i) {
    const auto reply = client.receive();
    CAPTURE(i);
    if (i % 3 == 0) CHECK(reply.body.ends_with("data: [DONE]\n\n"));
    if (i % 3 == 1) CHECK(reply.body.find("\"count\":" + std::to_string(i + 1)) != std::string::npos);
    if (i % 3 == 2) CHECK(reply.body.find("'n" + std::to_string(i) + "'") != std::string::npos);
  }
}

TEST_CASE("a client that shuts its sending side while its turn runs is taken as gone") {
  serving fixture;
  auto client = fixture.connect();
  client.send_request("POST", chat_path, hello);
  fixture.node.turn(1);
  client.shutdown_send();
  CHECK(fixture.node.cancel(1).why == errc::cancelled);
  CHECK(client.read_to_end().empty());
}

TEST_CASE("an absolute target is the path, and its authority is the host") {
  serving fixture;
  auto client = fixture.connect();
  client.send("GET http://localhost/live HTTP/1.1\r\nhost: rebound.example\r\n\r\n");
  CHECK(client.receive().status == 200);
  client.send("GET http://rebound.example/live" + head + "\r\n");
  CHECK(client.receive().status == 403);
  client.send("GET http://localhost" + head + "\r\n");
  CHECK(client.receive().status == 404);
}

TEST_CASE("methods and targets of other servers are refused") {
  serving fixture;
  auto client = fixture.connect();
  const auto options = client.request("OPTIONS", chat_path);
  CHECK(options.status == 405);
  CHECK(options.field("allow") == "POST");
  CHECK(client.request("OPTIONS", "*").status == 404);
  CHECK(client.request("TRACE", "/live").status == 405);
  CHECK(client.request("BREW", "/live").status == 405);
  client.send("CONNECT localhost:80" + head + "\r\n");
  CHECK(client.receive().status == 404);
  CHECK(client.request("HEAD", chat_path).status == 405);
}

TEST_CASE("a body that is announced too long is refused before it is asked for") {
  serving fixture;
  const auto answer = say(fixture, "POST /tokenize" + head + "expect: 100-continue\r\ncontent-length: 99999999999\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 413 "));
  CHECK(answer.find("100 Continue") == std::string::npos);
}

TEST_CASE("a body whose end two readers could see in two places is refused, and nothing behind it is read") {
  serving fixture;
  const std::string hidden = "GET /live" + head + "\r\n";
  const std::string chunks = "0\r\n\r\n" + hidden;
  for (const auto& [fields, body] :
       std::vector<std::pair<std::string, std::string>>{{"content-length: 5\r\ntransfer-encoding: chunked\r\n", chunks},
                                                        {"transfer-encoding: chunked\r\ncontent-length: 5\r\n", chunks},
                                                        {"content-length: 0\r\ncontent-length: 50\r\n", hidden},
                                                        {"content-length: 0\r\ncontent-length: 0\r\n", hidden},
                                                        {"content-length: 0, 0\r\n", hidden},
                                                        {"content-length: +1\r\n", hidden},
                                                        {"content-length: 0x0\r\n", hidden},
                                                        {"content-length: -1\r\n", hidden},
                                                        {"transfer-encoding: xchunked\r\n", chunks},
                                                        {"transfer-encoding: identity\r\n", hidden},
                                                        {"transfer-encoding: gzip, chunked\r\n", chunks},
                                                        {"transfer-encoding: chunked, chunked\r\n", chunks},
                                                        {"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", chunks},
                                                        {"transfer-encoding : chunked\r\n", chunks},
                                                        {"content-length : 5\r\n", hidden}}) {
    CAPTURE(fields);
    const auto answer = say(fixture, "POST /tokenize" + head + fields + "\r\n" + body);
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(count(answer, "HTTP/1.1 ") == 1);
  }
  const auto old = say(fixture, "POST /tokenize HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n" + chunks);
  CHECK(old.starts_with("HTTP/1.1 400 "));
  CHECK(count(old, "HTTP/1.1 ") == 1);
}

TEST_CASE("chunks are read with extensions and trailers, and broken ones are refused") {
  serving fixture;
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, {}));
  const std::string chunked = "POST /tokenize" + head + "transfer-encoding: chunked\r\n\r\n";
  auto client = fixture.connect();
  client.send(chunked + "F;name=value\r\n{\"prompt\":\"ab\"}\r\n0\r\nx-checksum: 5\r\n\r\n");
  CHECK(client.receive().body == tokenize_ab);
  for (const auto* broken : {"g\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n", "2\r\n{}}\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n{}",
                             "0x2\r\n{}\r\n0\r\n\r\n", "\r\n{}\r\n0\r\n\r\n"}) {
    CAPTURE(broken);
    const auto answer = say(fixture, chunked + broken);
    CHECK(answer.starts_with("HTTP/1.1 400 "));
    CHECK(count(answer, "HTTP/1.1 ") == 1);
  }
  CHECK(say(fixture, chunked + "FFFFFFFFFFFFFFF\r\n{}").starts_with("HTTP/1.1 413 "));
  CHECK(say(fixture, chunked + "2;" + std::string(200'000, 'x')).starts_with("HTTP/1.1 4"));
}

TEST_CASE("what stands behind a chunked body is no field of the request") {
  serving fixture;
  fixture.node.play(answer_events().text("a").finished(turn_end::stop, {}));
  auto client = fixture.connect();
  std::string size;
  for (auto bytes = hello.size(); bytes > 0; bytes /= 16) size.insert(size.begin(), "0123456789abcdef"[bytes % 16]);
  client.send("POST " + chat_path + head + "transfer-encoding: chunked\r\n\r\n" + size + "\r\n" + hello +
              "\r\n0\r\nx-session-id: forged\r\nconnection: close\r\nhost: rebound.example\r\n\r\n");
  const auto reply = client.receive();
  CHECK(reply.status == 200);
  CHECK(reply.field("x-session-id") == fixture.node.spawn(1).id.value);
  CHECK(fixture.node.spawn(1).id.value != "forged");
  CHECK(client.get("/live").status == 200);
}

TEST_CASE("bodies that are being read are bounded together") {
  auto options = test_options();
  options.uploads_bytes_max = 100'000;
  serving fixture(options);
  const std::string body = R"({"prompt":")" + std::string(60'000, 'x') + "\"}";
  auto stalled = fixture.connect();
  stalled.send("POST /tokenize" + head + "expect: 100-continue\r\ncontent-length: 70000\r\n\r\n");
  stalled.read_until("100 Continue\r\n\r\n");
  stalled.send(body);
  http_reply reply;
  for (int tries = 0; tries < 10'000 && reply.status != 429; ++tries) reply = fixture.connect().post("/tokenize", body);
  CHECK(reply.status == 429);
  CHECK(code_of(reply) == "queue_full");
  CHECK(reply.field("connection") == "close");
  stalled.close();
  for (int tries = 0; tries < 10'000 && reply.status != 200; ++tries) reply = fixture.connect().post("/tokenize", body);
  CHECK(reply.status == 200);
}
