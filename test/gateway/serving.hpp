// A gateway on a free port before a fake node, for the tests that speak HTTP to it.
#pragma once

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>

#include "gateway/server.hpp"
#include "test/support/fake_node.hpp"
#include "test/support/http_client.hpp"

namespace troupe::test {

inline gateway::gateway_options test_options() {
  gateway::gateway_options options;
  options.port = 0;
  gateway::gateway_model model;
  model.name.value = "small";
  model.is_alias = [](std::string_view name) { return name.starts_with("gpt-"); };
  model.context_length = 4096;
  model.vocabulary_size = 100;
  model.created_s = 1'700'000'000;
  model.fingerprint = "fp_test";
  model.tokenize = [](std::string_view text, bool special) {
    std::vector<token_id> tokens;
    if (special) tokens.push_back(1);
    for (const char letter : text) tokens.push_back(static_cast<unsigned char>(letter));
    return tokens;
  };
  model.detokenize = [](const std::vector<token_id>& tokens) {
    std::string text;
    for (const auto token : tokens) text.push_back(static_cast<char>(token));
    return text;
  };
  model.template_input = [](const turn_request& turn) {
    std::string input;
    for (const auto& message : turn.prompt.messages)
      for (const auto& block : message.blocks) input += block.text;
    return expected<std::string>(input);
  };
  options.models.push_back(std::move(model));
  return options;
}

/// The server ends before its node.
struct serving {
  fake_node node;
  std::unique_ptr<gateway::server> server;

  explicit serving(gateway::gateway_options options = test_options()) {
    auto started = gateway::server::start(std::move(options), node.links());
    if (!started) throw std::runtime_error(started.error().message);
    server = std::move(*started);
  }
  [[nodiscard]] http_client connect() const { return http_client(server->port()); }
};

/// As the parser of a connection makes it: what follows a `?` is the query.
inline gateway::http_request request_to(std::string method, std::string target, std::string body, std::vector<gateway::http_field> fields) {
  gateway::http_request request;
  request.method = std::move(method);
  const auto mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != target.npos) request.query = target.substr(mark + 1);
  request.body = std::move(body);
  request.fields = std::move(fields);
  return request;
}

inline const std::string chat_path = "/v1/chat/completions";
inline const std::string hello = R"({"model":"small","messages":[{"role":"user","content":"Hello"}]})";
inline const std::string hello_stream = R"({"model":"small","stream":true,"messages":[{"role":"user","content":"Hello"}]})";

inline boost::json::value parse_json(const std::string& text) { return boost::json::parse(text); }
inline std::string string_at(const boost::json::value& value, std::string_view pointer) {
  return std::string(value.at_pointer(pointer).as_string());
}

}  // namespace troupe::test
