#include "gateway/kv_hints.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>

#include "gateway/routes.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

std::string envelope(std::string_view actions, std::string_view version = "0.1") {
  return R"({"protocol_version":")" + std::string(version) + R"(","message_id":"m1","actions":[)" + std::string(actions) + "]}";
}

expected<kv_message> read(const std::string& body, const hint_policy& policy = {}) { return read_kv_message(*parse_object(body), policy); }

const std::string pin = R"({"action_id":"a","action_type":"pin","action_version":1,"payload":{"session":"s","ttl_ms":900,"token_end":64}})";

}  // namespace

TEST_CASE("an action is a verb for a session, named by message and action") {
  const auto message = read(envelope(pin));
  REQUIRE(message);
  session_verb verb;
  verb.session.value = "s";
  verb.id = "m1/a";
  verb.what = verb_kind::pin;
  verb.ttl_ms = 900;
  verb.token_end = 64;
  REQUIRE(message->actions.size() == 1);
  CHECK(message->actions[0].verb == verb);
  CHECK(message->actions[0].rejected == "");
  CHECK(read(envelope(pin), {.ttl_max = std::chrono::milliseconds{100}})->actions[0].clipped == "at most 100 ms");
}

TEST_CASE("what nobody here can do is rejected with its reason, not an error") {
  const auto why = [](const std::string& body) { return read(body)->actions.at(0).rejected; };
  CHECK(why(envelope(pin, "0.2")) == "protocol version 0.2 is not known here: 0.1 is");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"share","payload":{}})")) ==
        "there is no action share here: prefetch, demote, pin, retain and release are known");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"die","payload":{"session":"s"}})")) ==
        "there is no action die here: prefetch, demote, pin, retain and release are known");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"pin","action_version":9,"payload":{}})")) == "this version of the action is not known");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"pin"})")) == "the payload is missing");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"pin","payload":{}})")) == "the payload's session must not be empty");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"pin","payload":{"session":"s","ttl_ms":"x"}})")) ==
        "'payload.ttl_ms' must be an integer");
  CHECK(why(envelope(R"({"action_id":"a","action_type":"demote","payload":{"block_hashes":[1]}})")) ==
        "blocks have no names outside: give a session, and a token range for pin and retain");
}

TEST_CASE("a message without ids, or of wrong types, is refused") {
  CHECK(read(R"({"protocol_version":"0.1","actions":[]})").error().param == "message_id");
  CHECK(read(R"({"message_id":"m","actions":[]})").error().param == "protocol_version");
  CHECK(read(R"({"message_id":"m","protocol_version":"0.1"})").error().param == "actions");
  CHECK(read(envelope("7")).error().param == "actions[0]");
  CHECK(read(envelope(R"({"action_type":"pin","payload":{}})")).error().param == "actions[0].action_id");
}

TEST_CASE("every action has its outcome, in order") {
  auto message = *read(envelope(pin + R"(,{"action_id":"b","action_type":"share","payload":{}},)"
                                      R"({"action_id":"c","action_type":"prefetch","payload":{"session_id":"t"}})"),
                       {.ttl_max = std::chrono::milliseconds{100}});
  CHECK(kv_outcomes(message, {{"m1/a", verb_outcome::accepted, {}, 0}, {"m1/c", verb_outcome::missing, "no session t", 0}}) ==
        R"({"protocol_version":"0.1","message_id":"m1","outcomes":[{"action_id":"a","outcome":"clipped","detail":"at most 100 ms"},)"
        R"({"action_id":"b","outcome":"rejected","detail":"there is no action share here: prefetch, demote, pin, retain and release are known"},)"
        R"({"action_id":"c","outcome":"missing","detail":"no session t"}]})");
}

TEST_CASE("only an administrator's key may send kv_hints") {
  const auto options = test::test_options();
  http_request request;
  request.method = "POST";
  request.path = "/v1/kv_hints";
  request.body = envelope(pin);
  route_context context{options};
  CHECK(std::holds_alternative<control_job>(dispatch(request, context)));
  context.who.is_admin = false;
  const auto refused = dispatch(request, context);
  REQUIRE(std::holds_alternative<failure>(refused));
  CHECK(describe(std::get<failure>(refused).code).http_status == 403);
}

TEST_CASE("a message's verbs reach their sessions, and one that nobody knows is missing") {
  test::serving fixture;
  fixture.node.answer_verbs([](const session_verb& verb) -> expected<verb_answer> {
    if (verb.session.value == "t") return failure{errc::not_found, "no session t", "id"};
    return verb_answer{verb.id, verb_outcome::deferred, "later", 0};
  });
  auto client = fixture.connect();
  const auto answer = client.post(
      "/v1/kv_hints", envelope(pin + R"(,{"action_id":"b","action_type":"demote","payload":{"session":"t"}})"));
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"protocol_version":"0.1","message_id":"m1","outcomes":[{"action_id":"a","outcome":"deferred","detail":"later"},)"
                       R"({"action_id":"b","outcome":"missing","detail":"no session t"}]})");
  CHECK(fixture.node.verb(1).id == "m1/a");
  CHECK(fixture.node.verb(2).what == verb_kind::demote);
}
