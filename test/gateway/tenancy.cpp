// What a route's result becomes for its tenant: whose sessions it names, and whether there is room for its turn.
#include "gateway/tenancy.hpp"

#include <doctest/doctest.h>

#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::gateway;
using namespace std::chrono_literals;

namespace {

struct tenants {
  gateway_options options = test::test_options();
  std::shared_ptr<conversation_index> conversations = std::make_shared<conversation_index>(8);
  std::shared_ptr<tenant_quotas> quotas = std::make_shared<tenant_quotas>(std::vector<tenant_limits>{{"acme", 1, 6'000}, {"beta", 0, 0}});
  tenant_quotas::time_point now = tenant_quotas::time_point{} + 1h;
  std::uint64_t drawn = 0;

  route_result operator()(const std::string& tenant, std::string method, std::string path, std::string body = {},
                          std::vector<http_field> fields = {}) {
    caller who;
    who.is_admin = tenant == "admin";
    who.tenant = who.is_admin ? "default" : tenant;
    return dispatch(test::request_to(std::move(method), std::move(path), std::move(body), std::move(fields)),
                    {options, [this] { return ++drawn; }, 1700, conversations, who, quotas, now});
  }
  turn_job turn(const std::string& tenant, std::vector<http_field> fields, const std::string& body = test::hello) {
    auto result = (*this)(tenant, "POST", test::chat_path, body, std::move(fields));
    REQUIRE(std::holds_alternative<turn_job>(result));
    return std::get<turn_job>(std::move(result));
  }
  template <class Request>
  Request asked(const std::string& tenant, std::string method, std::string path, std::string body = {}) {
    auto result = (*this)(tenant, std::move(method), std::move(path), std::move(body));
    REQUIRE(std::holds_alternative<control_job>(result));
    return std::get<Request>(std::get<control_job>(result).request);
  }
};

errc code_of(const route_result& result) { return std::get<failure>(result).code; }

std::string field_of(const std::vector<http_field>& fields, std::string_view name) {
  for (const auto& field : fields)
    if (field.name == name) return field.value;
  return {};
}

}  // namespace

TEST_CASE("the sessions of a turn are its tenant's") {
  tenants world;
  const auto job = world.turn("beta", {{"x-session-id", "child"}, {"x-parent-session-id", "lead"}});
  CHECK(job.spawn.id.value == "beta child");
  CHECK(job.spawn.parent.value == "beta lead");
  CHECK(world.turn("default", {{"x-session-id", "child"}}).spawn.id.value == "child");
  CHECK(world.turn("beta", {{"x-session-id", "child"}}).spawn.parent.value == "");
  CHECK(std::get<failure>(world("beta", "POST", test::chat_path, test::hello, {{"x-session-id", "acme lead"}})).param == "x-session-id");
}

TEST_CASE("every verb and question of a tenant is about its own sessions") {
  tenants world;
  CHECK(world.asked<session_find>("beta", "GET", "/v1/sessions/a").id.value == "beta a");
  CHECK(world.asked<session_verb>("beta", "DELETE", "/v1/sessions/a").session.value == "beta a");
  CHECK(world.asked<session_verb>("beta", "POST", "/v1/sessions/a/events", R"({"id":"e","verb":"compact"})").session.value == "beta a");
  const auto spawn = world.asked<session_spawn>("beta", "POST", "/v1/sessions", R"({"id":"a","parent":"p"})");
  CHECK(spawn.id.value == "beta a");
  CHECK(spawn.parent.value == "beta p");
  CHECK(world.asked<session_list>("beta", "GET", "/v1/sessions").tenant == "beta");
  CHECK(code_of(world("beta", "GET", "/v1/sessions/acme%20a")) == errc::invalid_request);
  CHECK(code_of(world("beta", "GET", "/v1/sessions/a?tenant=acme")) == errc::permission_denied);
  CHECK(code_of(world("beta", "GET", "/v1/sessions?tenant=acme")) == errc::permission_denied);
  CHECK(world.asked<session_list>("beta", "GET", "/v1/sessions?tenant=beta").tenant == "beta");
}

TEST_CASE("an admin sees everybody's sessions, and names a tenant to speak of one") {
  tenants world;
  CHECK(world.asked<session_list>("admin", "GET", "/v1/sessions").tenant == "");
  CHECK(world.asked<session_list>("admin", "GET", "/v1/sessions?tenant=acme").tenant == "acme");
  CHECK(world.asked<session_find>("admin", "GET", "/v1/sessions/a").id.value == "a");
  CHECK(world.asked<session_find>("admin", "GET", "/v1/sessions/a?tenant=acme").id.value == "acme a");
  CHECK(world.asked<session_verb>("admin", "DELETE", "/v1/sessions/a?tenant=acme").session.value == "acme a");
  CHECK(std::get<failure>(world("admin", "GET", "/v1/sessions/a?tenant=a%20b")).param == "tenant");
}

TEST_CASE("a session is shown as its client calls it, with its tenant") {
  tenants world;
  auto result = world("admin", "GET", "/v1/sessions");
  session_info info;
  info.id.value = "acme child";
  info.parent.value = "acme lead";
  const auto shown = test::parse_json(std::get<control_job>(result).answer(session_listing{{info}}).body);
  CHECK(test::string_at(shown, "/data/0/id") == "child");
  CHECK(test::string_at(shown, "/data/0/parent") == "lead");
  CHECK(test::string_at(shown, "/data/0/tenant") == "acme");
}

TEST_CASE("equal conversations of two tenants are two sessions") {
  tenants world;
  const auto ours = world.turn("beta", {}), theirs = world.turn("default", {});
  CHECK(ours.spawn.id.value.starts_with("beta auto-"));
  CHECK(theirs.spawn.id.value.starts_with("auto-"));
  CHECK(world.conversations->size() == 2);
}

TEST_CASE("a conversation that a tenant displaces is ended as its own tenant's") {
  tenants world;
  world.conversations = std::make_shared<conversation_index>(2);
  const auto first = world.turn("beta", {}).spawn.id.value;
  static_cast<void>(world.turn("beta", {}));
  const auto job = world.turn("default", {});
  REQUIRE(job.ended.size() == 1);
  CHECK(job.ended[0].value == first);
  CHECK(first.starts_with("beta auto-"));
}

TEST_CASE("a turn beyond its tenant's concurrency is refused with a time to come back") {
  tenants world;
  auto first = world.turn("acme", {});
  CHECK(field_of(first.fields, "x-ratelimit-limit-tokens") == "6000");
  CHECK(field_of(first.fields, "x-ratelimit-remaining-tokens") == "5744");
  CHECK(field_of(first.fields, "x-ratelimit-reset-tokens") == "2560ms");
  auto second = world("acme", "POST", test::chat_path, test::hello);
  REQUIRE(std::holds_alternative<refusal>(second));
  const auto& refused = std::get<refusal>(second);
  CHECK(refused.why.code == errc::quota_reached);
  CHECK(field_of(refused.fields, "retry-after") == "1");
  CHECK(field_of(refused.fields, "retry-after-ms") == "1000");
  CHECK(field_of(refused.fields, "x-should-retry") == "true");
  CHECK(world.turn("beta", {}).fields.empty());
  std::string out;
  turn_finished end;
  end.usage.prompt_tokens = 100;
  end.usage.cached_tokens = 64;
  end.usage.output_tokens = 10;
  first.writer->finished(end, out);
  CHECK(world.quotas->usage("acme", world.now)->tokens == 46);
  CHECK(field_of(world.turn("acme", {{"anthropic-version", "2023-06-01"}}).fields, "anthropic-ratelimit-tokens-limit") == "6000");
}

TEST_CASE("a tenant that has used its tokens is told when there are some, and a request that is wrong costs nothing") {
  tenants world;
  std::string out;
  turn_finished end;
  end.usage.prompt_tokens = 6'000;
  world.turn("acme", {}).writer->finished(end, out);
  CHECK(code_of(world("acme", "POST", test::chat_path, "{}")) == errc::invalid_request);
  const auto refused = std::get<refusal>(world("acme", "POST", test::chat_path, test::hello));
  CHECK(field_of(refused.fields, "retry-after-ms") == "16920");
  CHECK(field_of(refused.fields, "retry-after") == "17");
  CHECK(refused.why.message == "the tenant has used its tokens of this minute; try again in 16920ms");
  world.now += 16'920ms;
  world.turn("acme", {}).writer->refused({errc::queue_full, {}, {}});
  CHECK(world.quotas->usage("acme", world.now)->tokens == 6'000);
}

TEST_CASE("a turn that is cut off costs the prompt that it has computed and what it has generated by then") {
  tenants world;
  {
    std::string out;
    world.turn("acme", {}).writer->started({{}, 900, 100}, out);
  }
  CHECK(world.quotas->usage("acme", world.now)->tokens == 800);
  CHECK(world.quotas->usage("acme", world.now)->running == 0);
  for (const auto& body : {test::hello, test::hello_stream}) {
    const auto before = world.quotas->usage("acme", world.now)->tokens;
    {
      std::string out;
      const auto job = world.turn("acme", {}, body);
      job.writer->started({{}, 900, 100}, out);
      turn_delta piece;
      piece.text = "so far";
      piece.output_tokens = 1'500;
      job.writer->delta(piece, out);
    }
    CHECK(world.quotas->usage("acme", world.now)->tokens == before + 2'300);
  }
}

TEST_CASE("a turn that its quota refuses at the last moment still gives up what it has displaced") {
  tenants world;
  world.conversations = std::make_shared<conversation_index>(1);
  const auto displaced = world.turn("acme", {}).spawn.id;
  // Another connection takes the tenant's only place while this one makes a name for its conversation, behind two for a session.
  std::optional<turn_job> other;
  const auto draw = [&, asks = 0]() mutable {
    if (++asks == 3) other = world.turn("acme", {{"x-session-id", "named"}});
    return ++world.drawn;
  };
  http_request request;
  request.method = "POST";
  request.path = test::chat_path;
  request.body = R"({"model":"small","messages":[{"role":"user","content":"Another"}]})";
  caller who;
  who.tenant = "acme";
  const auto result = dispatch(request, {world.options, draw, 1700, world.conversations, who, world.quotas, world.now});
  REQUIRE(std::holds_alternative<refusal>(result));
  CHECK(std::get<refusal>(result).ended == std::vector{displaced});
}

TEST_CASE("a turn that is refused displaces nobody's conversation") {
  tenants world;
  world.conversations = std::make_shared<conversation_index>(1);
  const auto kept = world.turn("beta", {}).spawn.id;
  const auto running = world.turn("acme", {{"x-session-id", "named"}});
  REQUIRE(std::holds_alternative<refusal>(world("acme", "POST", test::chat_path, test::hello)));
  // It is still the one that makes room for the next.
  CHECK(world.turn("beta", {}).ended == std::vector{kept});
}

TEST_CASE("what tenants use is told with the labels of the config") {
  tenants world;
  const auto running = world.turn("acme", {});
  CHECK(tenant_metrics(*world.quotas) ==
        "# HELP troupe_tenant_turns_running Turns of the tenant that run now.\n"
        "# TYPE troupe_tenant_turns_running gauge\n"
        "troupe_tenant_turns_running{tenant=\"acme\"} 1\n"
        "troupe_tenant_turns_running{tenant=\"beta\"} 0\n"
        "# HELP troupe_tenant_tokens_total Tokens computed and generated for the tenant.\n"
        "# TYPE troupe_tenant_tokens_total counter\n"
        "troupe_tenant_tokens_total{tenant=\"acme\"} 0\n"
        "troupe_tenant_tokens_total{tenant=\"beta\"} 0\n"
        "# HELP troupe_tenant_refusals_total Turns refused because a quota was reached.\n"
        "# TYPE troupe_tenant_refusals_total counter\n"
        "troupe_tenant_refusals_total{tenant=\"acme\",quota=\"concurrency\"} 0\n"
        "troupe_tenant_refusals_total{tenant=\"acme\",quota=\"tokens\"} 0\n"
        "troupe_tenant_refusals_total{tenant=\"beta\",quota=\"concurrency\"} 0\n"
        "troupe_tenant_refusals_total{tenant=\"beta\",quota=\"tokens\"} 0\n");
}
