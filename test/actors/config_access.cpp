// Who may come in, as config files say it: addresses, keys, tenants, the files of TLS and of the audit log.
#include "test/actors/config_text.hpp"

using namespace troupe;
using namespace troupe::actors;

TEST_CASE("files of TLS and of the audit log are found beside the config") {
  const auto value = parse_good(std::string(one_model) + R"(
[gateway]
tls_certificate = "tls/chain.pem"
tls_key = "~/key.pem"
[audit]
file = "audit.jsonl"
content = "full"
redact = ["secret-*"]
content_bytes_max = 37
bytes_max = 3800000
files_max = 39
)");
  CHECK(value.gateway.tls_certificate == "/etc/troupe/tls/chain.pem");
  CHECK(value.gateway.tls_key == "/home/agent/key.pem");
  CHECK(value.audit == audit_config{"/etc/troupe/audit.jsonl", "full", {"secret-*"}, 37, 3'800'000, 39});
  CHECK(parse_good(to_toml(value)) == value);
}

TEST_CASE("an address beyond the loopback is refused while there are no keys") {
  for (const auto* address : {"0.0.0.0", "192.168.1.1", "::", "localhost", "128.0.0.1"})
    CHECK(parse_bad(std::string("[gateway]\naddress = \"") + address + "\"").param == "gateway.address");
  for (const auto* address : {"127.0.0.1", "127.8.8.8", "::1"})
    CHECK(parse_good(std::string(one_model) + "[gateway]\naddress = \"" + address + "\"").gateway.address == address);
}

TEST_CASE("with keys any address may be listened on, and keys name tenants that there are") {
  const std::string hash(64, 'a'), other(64, 'b');
  const auto key = [](const std::string& name, const std::string& of, const std::string& more = {}) {
    return "[[key]]\nname = \"" + name + "\"\nhash = \"" + of + "\"\n" + more;
  };
  const std::string acme = "[[tenant]]\nname = \"acme\"\nconcurrency_max = 2\ntokens_per_min = 9000\ncache_share_max = 0.25\n";
  const auto value = parse_good(
      std::string(one_model) + "[gateway]\naddress = \"0.0.0.0\"\n" + acme + key("ci", hash, "tenant = \"acme\"\n") +
      key("ops", other, "admin = true\nhint_priority_max = 5\nretain_weight_max = 6\nretain_ttl_ms_max = 7\ndeepest_tier = \"host\"\n"));
  CHECK(value.gateway.address == "0.0.0.0");
  CHECK(value.tenants == std::vector{tenant_config{"acme", 2, 9000, 0.25}});
  REQUIRE(value.keys.size() == 2);
  CHECK(value.keys[0] == key_config{"ci", hash, "acme", false, 0, 100, 3'600'000, "remote"});
  CHECK(value.keys[1] == key_config{"ops", other, "default", true, 5, 6, 7, "host"});
  CHECK(parse_good(to_toml(value)) == value);
  CHECK(parse_bad(key("a", hash) + "[gateway]\naddress = \"localhost\"").param == "gateway.address");
  CHECK(parse_bad(key("a", hash) + key("b", hash)).message == "key[1].hash: is the hash of key[0] too");
  CHECK(parse_bad(key("a", hash) + key("a", other)).param == "key[1].name");
  CHECK(parse_bad(key("a", std::string(64, 'A'))).param == "key[0].hash");
  CHECK(parse_bad(key("a", std::string(63, 'a'))).param == "key[0].hash");
  CHECK(parse_bad("[[key]]\nhash = \"" + hash + "\"").param == "key[0].name");
  CHECK(parse_bad(key("a", hash, "tenant = \"acme\"\n")).message == "key[0].tenant: \"acme\" is not the name of a [[tenant]]");
  CHECK(parse_bad(key("a", hash, "deepest_tier = \"tape\"\n")).param == "key[0].deepest_tier");
  CHECK(parse_bad(acme + acme).param == "tenant[1].name");
  CHECK(parse_bad("[[tenant]]\nname = \"a b\"").param == "tenant[0].name");
  CHECK(parse_bad("[[tenant]]\nconcurrency_max = 1").param == "tenant[0].name");
  CHECK(parse_bad("[[tenant]]\nname = \"a\"\ncache_share_max = 1.5").param == "tenant[0].cache_share_max");
}
