#include "gateway/http_message.hpp"

#include <doctest/doctest.h>

#include "gateway/error_shape.hpp"
#include "gateway/origin_guard.hpp"

using namespace troupe;
using namespace troupe::gateway;

TEST_CASE("percent escapes are decoded, broken ones are refused") {
  CHECK(decode_percent("Qwen%2FQwen3%20x").value() == "Qwen/Qwen3 x");
  CHECK(decode_percent("a+b").value() == "a+b");
  CHECK_FALSE(decode_percent("a%2").has_value());
  CHECK_FALSE(decode_percent("%zz").has_value());
  CHECK_FALSE(decode_percent("%-1").has_value());
}

TEST_CASE("query parameters are found by name") {
  http_request request;
  request.query = "limit=5&dead=true&empty&name=a%26b";
  CHECK(request.parameter("limit").value() == "5");
  CHECK(request.parameter("dead").value() == "true");
  CHECK(request.parameter("empty").value() == "");
  CHECK(request.parameter("name").value() == "a&b");
  CHECK_FALSE(request.parameter("lim").has_value());
}

TEST_CASE("a response head has its length, its fields and the fate of the connection") {
  http_response response;
  response.status = 429;
  response.fields = {{"retry-after", "1"}};
  CHECK(response_head(response, body_framing::length, 12, true) ==
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: 12\r\nretry-after: 1\r\nconnection: "
        "keep-alive\r\n\r\n");
  response.fields.clear();
  response.status = 200;
  CHECK(response_head(response, body_framing::chunked, 0, false) ==
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
}

TEST_CASE("every errc has its status and all four keys in OpenAI's shape") {
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto& info = describe(static_cast<errc>(i));
    const auto response = error_response({static_cast<errc>(i), "why \"so\"", ""});
    CHECK(response.status == info.http_status);
    CHECK(response.body == "{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"" + std::string(info.openai_type) +
                               "\",\"param\":null,\"code\":\"" + std::string(info.name) + "\"}}");
    CHECK((response.fields.size() == 1 && response.fields[0].name == "retry-after") == info.retryable);
  }
  CHECK(error_json({errc::invalid_request, "", "messages[0]"}) ==
        R"({"error":{"message":"invalid_request","type":"invalid_request_error","param":"messages[0]","code":"invalid_request"}})");
}

TEST_CASE("every errc has its status and type in Anthropic's shape, where a full queue is a 529") {
  for (std::size_t i = 1; i < errc_count; ++i) {
    const auto code = static_cast<errc>(i);
    const auto& info = describe(code);
    const auto response = error_response({code, "why \"so\"", "a.b"}, error_shape::anthropic, "req-1");
    CHECK(response.status == (code == errc::queue_full ? 529 : info.http_status));
    CHECK(response.body == "{\"type\":\"error\",\"error\":{\"type\":\"" + std::string(info.anthropic_type) +
                               "\",\"message\":\"why \\\"so\\\"\"},\"request_id\":\"req-1\"}");
    CHECK((response.fields.size() == 1 && response.fields[0].name == "retry-after") == info.retryable);
  }
}

TEST_CASE("the path or the version header decides the shape of failures") {
  const auto shape = [](std::string path, std::vector<http_field> fields = {}) {
    http_request request;
    request.path = std::move(path);
    request.fields = std::move(fields);
    return error_shape_of(request);
  };
  CHECK(shape("/v1/messages") == error_shape::anthropic);
  CHECK(shape("/v1/messages/count_tokens") == error_shape::anthropic);
  CHECK(shape("/v1/messagesx") == error_shape::openai);
  CHECK(shape("/v1/models") == error_shape::openai);
  CHECK(shape("/v1/models", {{"Anthropic-Version", "2026-10-21"}}) == error_shape::anthropic);
}

TEST_CASE("a browser of another site is refused, everything else passes") {
  const guarded_address bound{"127.0.0.1", true};
  const auto check = [&](std::vector<http_field> fields, const guarded_address& where) {
    http_request request;
    request.fields = std::move(fields);
    return check_origin(request, where).has_value();
  };
  CHECK_FALSE(check({{"Host", "127.0.0.1:8080"}}, bound));
  CHECK_FALSE(check({{"Host", "LOCALHOST:8080"}}, bound));
  CHECK_FALSE(check({{"Host", "[::1]:8080"}}, bound));
  CHECK_FALSE(check({}, bound));
  CHECK_FALSE(check({{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}, bound));
  CHECK(check({{"Host", "rebound.example"}}, bound));
  CHECK(check({{"Host", "127.0.0.1.example"}}, bound));
  CHECK(check({{"Host", "localhost:8080"}, {"Origin", "http://localhost:3000"}}, bound));
  CHECK(check({{"Host", "localhost:8080"}, {"Origin", "https://evil.example"}}, bound));
  CHECK(check({{"Host", "localhost:8080"}, {"Origin", "null"}}, bound));
  const guarded_address open{"10.0.0.5", false};
  CHECK_FALSE(check({{"Host", "models.example"}}, open));
  CHECK(check({{"Host", "models.example"}, {"Origin", "https://evil.example"}}, open));
}

TEST_CASE("a target is a path and a query, with or without its authority before it") {
  const auto read = [](std::string_view target) {
    http_request request;
    request.fields = {{"Host", "h"}};
    read_target(target, request);
    return request.path + " " + request.query + " " + std::string(request.field("host"));
  };
  CHECK(read("/a/b?c=d?e") == "/a/b c=d?e h");
  CHECK(read("*") == "*  h");
  CHECK(read("http://x:80/a?b") == "/a b x:80");
  CHECK(read("HTTPS://x?b") == "/ b x");
  CHECK(read("http://x") == "/  x");
  CHECK(read("ftp://x/a") == "ftp://x/a  h");
  CHECK(read("/a?u=http://x/b") == "/a u=http://x/b h");
}

TEST_CASE("a body has one length") {
  const auto refused = [](std::vector<http_field> fields) {
    http_request request;
    request.fields = std::move(fields);
    const auto wrong = check_framing(request);
    return wrong ? wrong->param : std::string();
  };
  CHECK(refused({}).empty());
  CHECK(refused({{"Content-Length", "5"}}).empty());
  CHECK(refused({{"Transfer-Encoding", "Chunked"}}).empty());
  CHECK(refused({{"transfer-encoding", "gzip"}}) == "transfer-encoding");
  CHECK(refused({{"transfer-encoding", "chunked"}, {"transfer-encoding", "chunked"}}) == "content-length");
  CHECK(refused({{"transfer-encoding", "chunked"}, {"content-length", "5"}}) == "content-length");
  CHECK(refused({{"content-length", "5"}, {"content-length", "5"}}) == "content-length");
  CHECK(refused({{"content-length", "5, 5"}}) == "content-length");
}
