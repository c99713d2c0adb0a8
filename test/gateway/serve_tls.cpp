// TLS over real sockets: what is agreed on, who is refused, and that HTTP behind it is what it is without.
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <fstream>

#include "gateway/tls_identity.hpp"
#include "test/gateway/serving.hpp"
#include "test/support/self_signed.hpp"

using namespace troupe;
using namespace troupe::test;
using gateway::tls_identity;

namespace {

namespace ssl = boost::asio::ssl;

std::shared_ptr<tls_identity> identity_of(const self_signed& files) {
  auto loaded = tls_identity::load(files.certificate(), files.key());
  if (!loaded) throw std::runtime_error(loaded.error().message);
  return *loaded;
}

/// A server with TLS, and a client's trust in it.
struct secured {
  self_signed files;
  std::shared_ptr<tls_identity> identity = identity_of(files);
  ssl::context trust = trusting(files);
  serving fixture;

  explicit secured(gateway::gateway_options options = test_options()) : fixture(with_tls(std::move(options))) {}
  [[nodiscard]] http_client connect() { return connect(trust); }
  [[nodiscard]] http_client connect(ssl::context& as) const { return http_client(fixture.server->port(), {.tls = &as}); }
  [[nodiscard]] http_client connect_plain() const { return fixture.connect(); }

 private:
  [[nodiscard]] gateway::gateway_options with_tls(gateway::gateway_options options) const {
    options.tls = identity;
    return options;
  }
};

void offer(ssl::context& context, const std::string& protocols) {
  SSL_CTX_set_alpn_protos(context.native_handle(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned int>(protocols.size()));
}

std::string handshakes(const secured& server, const std::string& outcome) {
  const auto text = server.identity->metrics();
  const auto name = "troupe_gateway_tls_handshakes_total{outcome=\"" + outcome + "\"} ";
  const auto begin = text.find(name) + name.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

failure refusal_of(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  const auto loaded = tls_identity::load(certificate, key);
  return loaded ? failure{errc::none, {}, {}} : loaded.error();
}

}  // namespace

TEST_CASE("over TLS a chat is streamed on a connection that stays, with the newest version and HTTP/1.1") {
  secured server;
  server.fixture.node.play(answer_events().started(12, 8).text("Hel").text("lo").finished(turn_end::stop, {}));
  offer(server.trust, "\x02h2\x08http/1.1");
  auto client = server.connect();
  CHECK(client.agreed() == "TLSv1.3 http/1.1");
  for (int turn = 0; turn < 2; ++turn) {
    const auto reply = client.post(chat_path, hello_stream);
    CHECK(reply.status == 200);
    CHECK(reply.body.find("\"content\":\"Hel\"") < reply.body.find("\"content\":\"lo\""));
    CHECK(reply.body.ends_with("data: [DONE]\n\n"));
  }
  CHECK(server.fixture.server->connections() == 1);
  CHECK(client.get("/metrics").body.find("troupe_gateway_tls_handshakes_total{outcome=\"done\"} 1\n") != std::string::npos);
}

TEST_CASE("TLS 1.2 is spoken, what is older is refused") {
  secured server;
  SSL_CTX_set_max_proto_version(server.trust.native_handle(), TLS1_2_VERSION);
  CHECK(server.connect().agreed() == "TLSv1.2 ");
  SSL_CTX_set_max_proto_version(server.trust.native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_min_proto_version(server.trust.native_handle(), TLS1_VERSION);
  SSL_CTX_set_security_level(server.trust.native_handle(), 0);
  CHECK_THROWS(server.connect());
  CHECK(server.fixture.server->wait_until_idle(std::chrono::seconds(10)));
  CHECK(handshakes(server, "done") == "1");
  CHECK(handshakes(server, "failed") == "1");
}

TEST_CASE("a client that speaks other protocols only, or trusts another certificate, gets no connection") {
  secured server;
  offer(server.trust, "\x02h2");
  CHECK_THROWS(server.connect());
  const self_signed other;
  auto trust = trusting(other);
  CHECK_THROWS(server.connect(trust));
}

TEST_CASE("plain HTTP at the port is answered in clear with a 400, and what is neither is closed") {
  secured server;
  auto client = server.connect_plain();
  const auto reply = client.post(chat_path, hello);
  CHECK(reply.status == 400);
  CHECK(string_at(parse_json(reply.body), "/error/message") == "this port speaks TLS: https instead of http");
  CHECK(reply.field("connection") == "close");
  CHECK(client.read_to_end().empty());
  auto noise = server.connect_plain();
  noise.send("neither this nor that, but long enough to be looked at");
  CHECK(noise.read_to_end().find("HTTP") == std::string::npos);
  CHECK(server.fixture.node.turns() == 0);
}

TEST_CASE("a handshake that stalls is cut after the wait for a header, however much of it has come") {
  auto options = test_options();
  options.header_wait = std::chrono::milliseconds(40);
  secured server(options);
  for (const std::string begun : {"", "\x16", "\x16\x03\x01\x01"}) {
    auto client = server.connect_plain();
    client.send(begun);
    CHECK(client.read_to_end().empty());
  }
  CHECK(server.fixture.server->wait_until_idle(std::chrono::seconds(10)));
}

TEST_CASE("a connection in its handshake gives its place to the next, and does not hold up a drain") {
  auto options = test_options();
  options.connections_max = 1;
  secured server(options);
  const auto wait_for = [&](std::size_t connections) {
    while (server.fixture.server->connections() != connections) {
    }
  };
  auto silent = server.connect_plain();
  wait_for(1);
  CHECK(server.connect().get("/live").status == 200);
  CHECK(silent.read_to_end().empty());
  wait_for(0);
  auto other = server.connect_plain();
  wait_for(1);
  server.fixture.server->drain();
  CHECK(other.read_to_end().empty());
  CHECK(server.fixture.server->wait_until_idle(std::chrono::seconds(10)));
}

TEST_CASE("bodies of megabytes pass in both directions") {
  secured server;
  auto client = server.connect();
  const auto reply = client.post("/tokenize", R"({"prompt":")" + std::string(3 << 20, 'a') + R"("})");
  CHECK(reply.status == 200);
  CHECK(parse_json(reply.body).at("count").as_int64() == (3 << 20) + 1);
  CHECK(client.get("/live").status == 200);
}

TEST_CASE("a keyed stream that is cut goes on over another connection") {
  secured server;
  auto first = server.connect();
  first.send_request("POST", chat_path, hello_stream, {{"idempotency-key", "k"}});
  server.fixture.node.turn(1);
  for (const auto& event : answer_events().started(1, 0).text("one").all()) server.fixture.node.send(1, event);
  CHECK(first.read_until("\"content\":\"one\"").find("id: 1\n") != std::string::npos);
  first.close();
  turn_delta more;
  more.sequence = 1;
  more.text = "two";
  server.fixture.node.send(1, more);
  server.fixture.node.send(1, turn_finished{});
  const auto rest = server.connect().post(chat_path, hello_stream, {{"idempotency-key", "k"}, {"last-event-id", "2"}});
  CHECK(rest.field("idempotent-replayed") == "true");
  CHECK(rest.body.starts_with("id: 3\n"));
  CHECK(rest.body.find("\"content\":\"one\"") == std::string::npos);
  CHECK(rest.body.find("\"content\":\"two\"") != std::string::npos);
  CHECK(server.fixture.node.turns() == 1);
}

TEST_CASE("the end of a connection is told, so that an answer without a length cannot be cut unseen") {
  secured server;
  server.fixture.node.play(answer_events().started(1, 0).text("a").finished(turn_end::stop, {}));
  auto client = server.connect();
  client.send("POST " + chat_path + " HTTP/1.0\r\ncontent-length: " + std::to_string(hello_stream.size()) + "\r\n\r\n" + hello_stream);
  CHECK(client.read_to_end().ends_with("data: [DONE]\n\n"));
  CHECK(client.heard_farewell());
}

TEST_CASE("a client that goes without a farewell ends its turn, and a refusal is read to its end") {
  secured server;
  auto gone = server.connect();
  gone.send_request("POST", chat_path, hello_stream);
  server.fixture.node.turn(1);
  gone.close();
  CHECK(server.fixture.node.cancel(1).why == errc::cancelled);
  auto refused = server.connect();
  refused.send("POST /tokenize HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n" + std::string(100'000, 'x'));
  CHECK(refused.receive().status == 413);
  CHECK(refused.read_to_end().empty());
}

TEST_CASE("two I/O threads serve many TLS connections at once") {
  auto options = test_options();
  options.io_threads = 2;
  secured server(options);
  answer_events events;
  events.started(1, 0);
  for (int piece = 0; piece < 50; ++piece) events.text(std::string(1000, 'a'));
  server.fixture.node.play(events.finished(turn_end::stop, {}));
  std::vector<http_client> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(server.connect());
  for (int round = 0; round < 4; ++round) {
    for (auto& client : clients) client.send_request("POST", chat_path, hello_stream);
    for (auto& client : clients) CHECK(client.receive().body.ends_with("data: [DONE]\n\n"));
  }
}

TEST_CASE("a certificate that was renewed is shown to connections from then on, and none is lost to a bad one") {
  secured server;
  auto before = server.connect();
  server.files.renew();
  REQUIRE(server.identity->reload());
  CHECK_THROWS(server.connect());
  auto trust = trusting(server.files);
  CHECK(server.connect(trust).get("/live").status == 200);
  CHECK(before.get("/live").status == 200);
  std::ofstream(server.files.certificate()) << "nothing";
  CHECK_FALSE(server.identity->reload());
  CHECK(server.connect(trust).get("/live").status == 200);
}

TEST_CASE("files that cannot serve are refused by their key and reason") {
  const self_signed files, other;
  CHECK(refusal_of(files.certificate(), files.key()).code == errc::none);
  const auto missing = refusal_of(files.certificate(), files.key().string() + ".none");
  CHECK(missing.code == errc::io_failed);
  CHECK(missing.param == "gateway.tls_key");
  const auto mixed = refusal_of(files.certificate(), other.key());
  CHECK(mixed.code == errc::invalid_request);
  CHECK(mixed.message == "gateway.tls_key: the key in " + other.key().string() + " is not that of " + files.certificate().string());
  CHECK(refusal_of(files.key(), files.key()).param == "gateway.tls_certificate");
  CHECK(refusal_of(files.certificate(), files.certificate()).param == "gateway.tls_key");
  std::filesystem::permissions(files.key(), std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  CHECK(refusal_of(files.certificate(), files.key()).message ==
        "gateway.tls_key: the key file " + files.key().string() + " is open to others: its mode must be 0600");
}
