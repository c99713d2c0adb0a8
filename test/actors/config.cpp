// Config files: what is refused and how it is named, and what is filled in.
#include <map>

#include "test/actors/config_text.hpp"

using namespace troupe;
using namespace troupe::actors;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a config with one model gets every default, resolved") {
  const auto value = parse_good(std::string(one_model));
  config wanted;
  wanted.node.data_dir = "/home/agent/.local/share/troupe";
  wanted.models.emplace_back();
  wanted.models[0].path = "/etc/troupe/m";
  wanted.models[0].name = "m";
  wanted.workers.emplace_back();
  wanted.workers[0].model = "m";
  CHECK(value == wanted);
  CHECK(value.gateway.port == 8000);
  CHECK(value.gateway.request_timeout_ms == 600'000);
  CHECK(value.workers[0].kv_bytes == 1'073'741'824);
}

TEST_CASE("every key can be set") {
  const auto value = parse_good(R"(
[node]
name = "left"
data_dir = "data"
drain_s = 1
threads = 2
compute_threads = 3
[gateway]
address = "::1"
port = 0
io_threads = 2
connections_max = 4
body_bytes_max = 5000
request_timeout_ms = 6
sse_comment_interval_ms = 700
stream_bytes_queued_max = 8000
[responses]
count_max = 34
bytes_max = 3500000
age_s_max = 36
[[model]]
path = "/models/a/"
name = "big"
aliases = ["x-*", "y"]
dtype = "f32"
context_tokens_max = 9
chat_template = "t.jinja"
tool_format = "none"
merge_same_role = true
volatile_text = ["date: *"]
[[model]]
path = "../b"
[[worker]]
model = "b"
backend = "timing"
count = 10
blocks = 11
block_tokens = 12
step_tokens_max = 18
prefill_chunk_max = 13
running_max = 15
waiting_max = 16
timing_step_us = 17
timing_prefill_token_us = 18.5
timing_decode_token_us = 19.25
timing_block_us = 3.5
timing_script = "answers.json"
[host_tier]
bytes = 27
offload = "write_through"
[disk_tier]
bytes = 28
folder = "disk"
write_bytes_per_s = 29
ttl_s = 30
key_file = "disk.key"
[remote_tier]
address = "127.0.0.1:1"
user = "u"
password = "p"
wait_ms = 31
ttl_s = 32
key_file = "remote.key"
[admission]
session_wait_ms_max = 33
[router]
behaviour = "sticky"
routes_waiting_max = 20
[session]
idle_ttl_s = 21
sessions_max = 22
turns_per_session_max = 23
[template]
time_ms = 24
output_bytes_max = 2500
waiting_max = 26
[trace]
file = "~/trace.jsonl"
[log]
level = "off"
)");
  config wanted;
  wanted.node = {"left", "/etc/troupe/data", 1, 2, 3};
  wanted.gateway = {"::1", 0, 2, 4, 5000, 6, 700, 8000};
  wanted.responses = {34, 3'500'000, 36};
  wanted.models = {{"/models/a", "big", {"x-*", "y"}, "f32", 9, "/etc/troupe/t.jinja", "none", true, {"date: *"}},
                   {"/etc/b", "b", {}, "checkpoint", 0, "", "auto", false}};
  wanted.workers = {{"b", "timing", 10, 0, 11, 12, 18, 13, 15, 16, 17, 18.5, 19.25, 3.5, "/etc/troupe/answers.json"}};
  wanted.host_tier = {27, "write_through"};
  wanted.disk_tier = {28, "/etc/troupe/disk", 29, 30, "/etc/troupe/disk.key"};
  wanted.remote_tier = {"127.0.0.1:1", "u", "p", 31, 32, "/etc/troupe/remote.key"};
  wanted.admission = {33};
  wanted.router = {"sticky", 20};
  wanted.session = {21, 22, 23};
  wanted.chat_template = {24, 2500, 26};
  wanted.trace = {"/home/agent/trace.jsonl"};
  wanted.log = {"off"};
  CHECK((value == wanted && parse_good(to_toml(value)) == value));
}

TEST_CASE("the gateway's bounds that tenants share can be set") {
  const auto value = parse_good(std::string(one_model) + R"(
[gateway]
uploads_bytes_max = 40000
conversations_max = 41
kept_turns_max = 42
kept_turns_bytes_max = 4300000
)");
  CHECK(value.gateway.uploads_bytes_max == 40'000);
  CHECK(value.gateway.conversations_max == 41);
  CHECK(value.gateway.kept_turns_max == 42);
  CHECK(value.gateway.kept_turns_bytes_max == 4'300'000);
  CHECK(parse_good(to_toml(value)) == value);
}

TEST_CASE("an unknown key is refused by its full path") {
  const auto key = parse_bad("[[worker]]\n[[worker]]\nblokcs = 3");
  CHECK(key.param == "worker[1].blokcs");
  CHECK(key.message == "worker[1].blokcs: unknown key (line 3)");
  CHECK(parse_bad("[gatway]\nport = 1").message == "gatway: unknown section (line 1)");
  CHECK(parse_bad("port = 1").param == "port");
  CHECK(parse_bad("[node.more]\nx = 1").param == "node.more");
}

TEST_CASE("a number out of range or of another type is refused with its unit and range") {
  CHECK(parse_bad("[gateway]\nport = 70000").message ==
        "gateway.port: 70000 is out of range: expects a whole number from 0 to 65535 (a TCP port)");
  CHECK(parse_bad("[session]\nidle_ttl_s = 0").message ==
        "session.idle_ttl_s: 0 is out of range: expects a whole number from 1 to 31536000 (seconds)");
  CHECK(parse_bad("[node]\ndrain_s = -1").param == "node.drain_s");
  CHECK(parse_bad("[node]\ndrain_s = 9223372036854775807").param == "node.drain_s");
  CHECK(parse_bad("[node]\ndrain_s = 1.5").message == "node.drain_s: expects a whole number from 0 to 3600 (seconds)");
  CHECK(parse_bad("[node]\ndrain_s = \"1\"").param == "node.drain_s");
  for (const auto* number : {"nan", "inf", "-0.5", "1e10", "true"})
    CHECK(parse_bad(std::string("[[worker]]\ntiming_step_us = ") + number).param == "worker[0].timing_step_us");
}

TEST_CASE("texts, lists, switches and sections of another type are refused by their path") {
  const std::map<std::string, std::string> bad{
      {"[node]\nname = 3", "node.name"},
      {"[node]\nname = \"\"", "node.name"},
      {"[node]\nname = \"a\\u0000b\"", "node.name"},
      {"[node]\ndata_dir = \"\"", "node.data_dir"},
      {"[log]\nlevel = \"loud\"", "log.level"},
      {"[trace]\nfile = true", "trace.file"},
      {"[[model]]\npath = \"m\"\naliases = \"x\"", "model[0].aliases"},
      {"[[model]]\npath = \"m\"\naliases = [\"x\", 3]", "model[0].aliases[1]"},
      {"[[model]]\npath = \"m\"\nmerge_same_role = 1", "model[0].merge_same_role"},
      {"[[model]]\npath = \"m\"\nvolatile_text = [\"*\"]", "model[0].volatile_text"},
      {"[audit]\nredact = [\"sk-*-*\"]", "audit.redact"},
      {"[audit]\ncontent = \"some\"", "audit.content"},
      {"[gateway]\ntls_certificate = \"c.pem\"", "gateway.tls_key"},
      {"[gateway]\ntls_key = \"k.pem\"", "gateway.tls_certificate"},
      {"[host_tier]\noffload = \"sometimes\"", "host_tier.offload"},
      {"[[model]]\npath = \"m\"\ndtype = \"f16\"", "model[0].dtype"},
      {"[[node]]\nname = \"x\"", "node"},
      {"[worker]\ncount = 1", "worker"},
      {"worker = [1]", "worker[0]"},
      {"node = 3", "node"},
  };
  for (const auto& [text, path] : bad) {
    CAPTURE(text);
    CHECK(parse_bad(text).param == path);
  }
  CHECK(parse_bad("[log]\nlevel = \"loud\"").message ==
        "log.level: \"loud\" is not one of \"trace\", \"debug\", \"info\", \"warn\", \"error\", \"off\"");
}

TEST_CASE("keys that contradict each other are refused") {
  CHECK(parse_bad("[[worker]]\nkv_bytes = 1000\nblocks = 10").param == "worker[0].blocks");
  CHECK(parse_bad("[[worker]]\nkv_bytes = 0").param == "worker[0].kv_bytes");
  CHECK(parse_bad("[[worker]]\nmodel = \"other\"").message == "worker[0].model: \"other\" is not the name of a [[model]]");
  CHECK(parse_bad("[[worker]]\nstep_tokens_max = 100").param == "worker[0].prefill_chunk_max");
  const auto narrow = parse_bad("[[worker]]\nstep_tokens_max = 16\nprefill_chunk_max = 16");
  CHECK(narrow.param == "worker[0].step_tokens_max");
  CHECK(contains(narrow.message, "16 is not more than running_max, 16"));
  const auto wider = std::string(one_model) + "[[worker]]\nstep_tokens_max = 17\nprefill_chunk_max = 16";
  CHECK(parse_good(wider).workers[0].step_tokens_max == 17);
  CHECK(parse_bad("[[model]]\npath = \"a/m\"\n[[model]]\npath = \"b/m\"").param == "model[1].name");
  CHECK(parse_bad("[[model]]\nname = \"x\"").param == "model[0].path");
  CHECK(parse_bad("[[model]]\npath = \"/\"").param == "model[0].name");
  CHECK(parse_good("[[model]]\npath = \"m\"\n[[worker]]\nblocks = 10").workers[0].kv_bytes == 0);
  const auto none = parse_config("[node]\n", origin);
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "model: at least one [[model]] is needed");
}

TEST_CASE("what is not TOML is refused by its line") {
  CHECK(contains(parse_bad("[node]\nname = \n").message, "line 2 is not TOML"));
  CHECK(contains(parse_bad("[node]\n[node]\n").message, "line 2 is not TOML"));
  CHECK_FALSE(parse_config("\xff\xfe", origin));
  CHECK_FALSE(parse_config(std::string(100'000, '['), origin));
}

TEST_CASE("a tilde needs a home") {
  const auto refused = parse_config(one_model, {"/etc/troupe", ""});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "node.data_dir: ~ needs HOME in the environment");
  CHECK(parse_config("[node]\ndata_dir = \"/var/lib/troupe\"\n" + std::string(one_model), {"/etc/troupe", ""}));
  CHECK(parse_good("[node]\ndata_dir = \"~\"\n" + std::string(one_model)).node.data_dir == "/home/agent");
}

TEST_CASE("without workers each model gets one") {
  const auto value = parse_good("[[model]]\npath = \"a\"\n[[model]]\npath = \"b\"");
  REQUIRE(value.workers.size() == 2);
  CHECK(value.workers[0].model == "a");
  CHECK(value.workers[1].model == "b");
  CHECK(value.workers[1].backend == "cpu");
}

TEST_CASE("strange texts are written so that they read back") {
  auto value = parse_good(std::string(one_model));
  value.node.name = "a \"quoted\" \\ back\n\t\x01\x7f \xc3\xa4";
  value.models[0].aliases = {"\\", "'"};
  value.workers[0].timing_step_us = 0.1 + 0.2;
  CHECK(parse_good(to_toml(value)) == value);
}

TEST_CASE("an alias matches the whole name") {
  const std::vector<std::pair<std::string, std::string>> match{
      {"claude-*", "claude-opus-4"}, {"claude-*", "claude-"}, {"*", ""},      {"*", "anything"}, {"", ""},       {"a?c", "abc"},
      {"*-mini*", "gpt-4-mini-x"},   {"a*b*c", "a-b-b-c"},    {"**a", "bba"}, {"x", "x"},        {"*a*b", "aab"}};
  for (const auto& [pattern, name] : match) CHECK_MESSAGE(matches_alias(pattern, name), pattern << " against " << name);
  const std::vector<std::pair<std::string, std::string>> differ{
      {"claude-*", "claude"}, {"claude-*", "a-claude-x"}, {"a?c", "ac"}, {"a*b", "a-b-c"}, {"", "a"}, {"x", "X"}, {"?", ""}};
  for (const auto& [pattern, name] : differ) CHECK_MESSAGE(!matches_alias(pattern, name), pattern << " against " << name);
  CHECK_FALSE(matches_alias("*a*a*a*a*a*a*a*a*b", std::string(10'000, 'a')));
}

TEST_CASE("a model is found by its exact name first, then by aliases in order") {
  const auto models = parse_good(R"(
[[model]]
path = "one"
aliases = ["gpt-*", "two"]
[[model]]
path = "two"
aliases = ["gpt-5*", "claude-*"]
)")
                          .models;
  const auto name_of = [&models](std::string_view name) {
    const auto* found = find_model(models, name);
    return found ? found->name : "none";
  };
  CHECK(name_of("one") == "one");
  CHECK(name_of("two") == "two");
  CHECK(name_of("gpt-5-mini") == "one");
  CHECK(name_of("claude-opus") == "two");
  CHECK(name_of("llama") == "none");
  CHECK(name_of("") == "none");
}

TEST_CASE("a config file that cannot be read is named") {
  const auto missing = load_config("/no/such/file.toml", "");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::io_failed);
  CHECK(missing.error().message == "cannot read /no/such/file.toml: No such file or directory");
  CHECK_FALSE(load_config("/", ""));
}
