#include "engine/text/redaction.hpp"

#include <doctest/doctest.h>

using namespace troupe::text;

namespace {

std::string with(std::string_view text, std::vector<std::string> patterns) { return redacted(text, patterns); }
std::string usual(std::string_view text) { return redacted(text, usual_secret_patterns()); }

}  // namespace

TEST_CASE("a star at the end of a pattern takes the rest of the word") {
  CHECK(with("use sk-a1/b+c= now", {"sk-*"}) == "use [redacted] now");
  CHECK(with("sk-1,sk-2;(sk-3)", {"sk-*"}) == "[redacted],[redacted];([redacted])");
  CHECK(with("{\"key\":\"sk-1\\n\"}", {"sk-*"}) == "{\"key\":\"[redacted]\"}");
  CHECK(with("sk-", {"sk-*"}) == "[redacted]");
}

TEST_CASE("a pattern that begins with a letter begins a word") {
  CHECK(with("task-list, risk-free, _sk-1, 9sk-1", {"sk-*"}) == "task-list, risk-free, _sk-1, 9sk-1");
  CHECK(with("(sk-1) -sk-2 \xc3\xa9sk-3", {"sk-*"}) == "([redacted]) -[redacted] \xc3\xa9[redacted]");
  CHECK(with("x--secret-- y", {"--secret--"}) == "x[redacted] y");
}

TEST_CASE("a star inside takes what lies between, over lines, and without an end all that follows") {
  CHECK(with("a <k>1\n2</k> b <k></k> c", {"<k>*</k>"}) == "a [redacted] b [redacted] c");
  CHECK(with("a <k>1\n2", {"<k>*</k>"}) == "a [redacted]");
}

TEST_CASE("usual secrets are found where agents show them") {
  CHECK(usual("curl -H 'Authorization: Bearer eyJ.x_y-z' u") == "curl -H 'Authorization: [redacted]' u");
  CHECK(usual("OPENAI_API_KEY=sk-proj-1") == "OPENAI_API_KEY=[redacted]");
  CHECK(usual("tk-0123abcd") == "[redacted]");
  CHECK(usual("AKIAIOSFODNN7EXAMPLE and aws_secret_access_key = wJalr/K7+x\n") == "[redacted] and [redacted]\n");
  CHECK(usual("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\nAB\n-----END RSA PRIVATE KEY-----\nb") == "a\n[redacted] RSA PRIVATE KEY-----\nb");
  CHECK(usual("token ghp_16C7e github_pat_11AA xoxb-12") == "token [redacted] [redacted] [redacted]");
  CHECK(usual("KEY:\\nsk-abc\\tghp_1") == "KEY:\\n[redacted]");  // a tool's arguments: JSON within JSON
  CHECK(usual("AWS_SECRET_ACCESS_KEY=\"wJal\" b") == "[redacted]\" b");
  CHECK(usual("aws_secret_access_key = \\\"wJal\\\" b") == "[redacted]\" b");
  CHECK(usual("Bearer  eyJ.x y") == "[redacted] y");
  CHECK(usual("nothing of a task-force here") == "nothing of a task-force here");
}

TEST_CASE("a text that is cut anywhere shows no part of a secret that the whole did not") {
  const std::string text = "key sk-12345 <k>6789</k> end";
  const std::vector<std::string> patterns{"sk-*", "<k>*</k>"};
  for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
    const auto shown = redacted(std::string_view(text).substr(0, bytes), patterns);
    CHECK(shown.find_first_of("123456789") == std::string::npos);
  }
}

TEST_CASE("what is no pattern has a reason") {
  CHECK(check_redaction_pattern("sk-*") == "");
  CHECK(check_redaction_pattern("a*b") == "");
  CHECK(check_redaction_pattern("") == "must begin with literal text");
  CHECK(check_redaction_pattern("*b") == "must begin with literal text");
  CHECK(check_redaction_pattern("a*b*") == "may have one '*'");
}
