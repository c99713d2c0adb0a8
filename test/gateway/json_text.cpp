#include "gateway/json_text.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace troupe::gateway;

namespace {
std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
std::string logprob(float value) {
  std::string out;
  append_json_logprob(out, value);
  return out;
}
}  // namespace

TEST_CASE("a JSON string escapes quotes, backslashes and control characters and nothing else") {
  CHECK(quoted("") == "\"\"");
  CHECK(quoted("a/b <c>") == "\"a/b <c>\"");
  CHECK(quoted("say \"hi\" \\ \n\r\t") == R"("say \"hi\" \\ \n\r\t")");
  CHECK(quoted(std::string("\x01\x1f\0", 3)) == R"("\u0001\u001f\u0000")");
  CHECK(quoted("\x7f") == "\"\x7f\"");
  CHECK(quoted("über 漢 🚀") == "\"über 漢 🚀\"");
}

TEST_CASE("bytes that are not UTF-8 become replacement characters one by one") {
  const std::string replaced = "\xEF\xBF\xBD";
  CHECK(quoted("a\xFFz") == "\"a" + replaced + "z\"");
  CHECK(quoted("\xE6\xBC") == "\"" + replaced + replaced + "\"");                                // cut inside a sequence
  CHECK(quoted("\xC0\xAF") == "\"" + replaced + replaced + "\"");                                // overlong
  CHECK(quoted("\xED\xA0\x80") == "\"" + replaced + replaced + replaced + "\"");                 // a surrogate
  CHECK(quoted("\xF4\x90\x80\x80") == "\"" + replaced + replaced + replaced + replaced + "\"");  // beyond U+10FFFF
  CHECK(quoted("\xF0\x9F\x9A\x80") == "\"🚀\"");
}

TEST_CASE("a log probability is written so that it reads back, also when it is infinite") {
  CHECK(logprob(-0.5F) == "-0.5");
  CHECK(logprob(0) == "0");
  CHECK(logprob(-0.1F) == "-0.1");
  CHECK(logprob(-std::numeric_limits<float>::infinity()) == "-9999.0");
  CHECK(logprob(std::numeric_limits<float>::quiet_NaN()) == "-9999.0");
}

TEST_CASE("hexadecimal ids have 16 digits") {
  CHECK(hex_of(0) == "0000000000000000");
  CHECK(hex_of(0xDEADBEEF01234567ULL) == "deadbeef01234567");
}
