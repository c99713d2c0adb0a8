#include "gateway/content_coding.hpp"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

using namespace troupe;
using namespace troupe::gateway;

namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct decoded {
  std::optional<failure> refused;
  std::string body;
};

decoded decode(std::string coding, std::string body, std::size_t bytes_max = 1 << 20) {
  http_request request;
  request.fields = {{"Content-Encoding", std::move(coding)}};
  request.body = std::move(body);
  auto refused = decode_body(request, bytes_max);
  return {std::move(refused), std::move(request.body)};
}

}  // namespace

TEST_CASE("bodies of gzip and zstd are decoded, others are left or refused") {
  const std::string text = "{\"a\":\"" + std::string(300'000, 'x') + "\"}";
  for (const auto* coding : {"gzip", "GZIP", "x-gzip"}) CHECK(decode(coding, gzip(text)).body == text);
  CHECK(decode("zstd", zstd(text)).body == text);
  CHECK(decode("zstd", zstd("a") + zstd("b")).body == "ab");
  CHECK(decode("gzip", gzip("")).body.empty());
  CHECK(decode("identity", text).body == text);
  CHECK(decode("", text).body == text);
  for (const auto* coding : {"br", "deflate", "gzip, zstd"}) {
    const auto refused = decode(coding, "x").refused;
    REQUIRE(refused);
    CHECK(refused->code == errc::unsupported_encoding);
    CHECK(refused->param == "content-encoding");
  }
}

TEST_CASE("the limit holds for what comes out") {
  const std::string text(100'000, 'x');
  for (const auto* coding : {"gzip", "zstd"}) {
    const auto body = std::string(coding) == "gzip" ? gzip(text) : zstd(text);
    CHECK(body.size() < 1000);
    CHECK_FALSE(decode(coding, body, 100'000).refused);
    CHECK(decode(coding, body, 99'999).refused->code == errc::body_too_large);
  }
}

TEST_CASE("a compressed body that is damaged, cut at any byte or followed by more is refused") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::to_string(i * i);
  for (const auto* coding : {"gzip", "zstd"}) {
    CAPTURE(coding);
    const auto body = std::string(coding) == "gzip" ? gzip(text) : zstd(text);
    for (std::size_t bytes = 0; bytes < body.size(); ++bytes)
      CHECK(decode(coding, body.substr(0, bytes)).refused->code == errc::invalid_request);
    CHECK(decode(coding, body + "x").refused->code == errc::invalid_request);
    CHECK(decode(coding, "not compressed").refused->code == errc::invalid_request);
  }
}
