#include "gateway/content_coding.hpp"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <memory>
#include <string>

namespace troupe::gateway {
namespace {

constexpr std::string_view encoding_field = "content-encoding";
using piece = std::array<char, 64 << 10>;

failure too_large(std::size_t bytes_max) {
  return {errc::body_too_large, "the body must be at most " + std::to_string(bytes_max) + " bytes long when it is decompressed", {}};
}

failure damaged(std::string_view coding) {
  return {errc::invalid_request, "the body is not whole " + std::string(coding), std::string(encoding_field)};
}

struct inflate_end {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

/// One member: what clients send. Bytes behind it are refused.
expected<std::string> decode_gzip(std::string_view body, std::size_t bytes_max) {
  z_stream stream{};
  stream.next_in = reinterpret_cast<const Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  // 16: with gzip's header and checksum.
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return failure{errc::internal, "the body cannot be decompressed", {}};
  const std::unique_ptr<z_stream, inflate_end> guard(&stream);
  const auto out = std::make_unique<piece>();
  std::string decoded;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    stream.next_out = reinterpret_cast<Bytef*>(out->data());
    stream.avail_out = static_cast<uInt>(out->size());
    status = inflate(&stream, Z_NO_FLUSH);
    const auto bytes = out->size() - stream.avail_out;
    if ((status != Z_OK && status != Z_STREAM_END) || (status == Z_OK && bytes == 0 && stream.avail_in == 0)) return damaged("gzip");
    if (decoded.size() + bytes > bytes_max) return too_large(bytes_max);
    decoded.append(out->data(), bytes);
  }
  if (stream.avail_in > 0) return damaged("gzip");
  return decoded;
}

struct zstd_end {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

expected<std::string> decode_zstd(std::string_view body, std::size_t bytes_max) {
  const std::unique_ptr<ZSTD_DStream, zstd_end> stream(ZSTD_createDStream());
  // 8 MiB: the window that every decoder of HTTP content must offer, and none above (RFC 9659).
  if (!stream || ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 23)))
    return failure{errc::internal, "the body cannot be decompressed", {}};
  const auto out = std::make_unique<piece>();
  std::string decoded;
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  for (std::size_t left = 1; left != 0 || in.pos < in.size;) {
    ZSTD_outBuffer to{out->data(), out->size(), 0};
    const auto before = in.pos;
    left = ZSTD_decompressStream(stream.get(), &to, &in);
    if (ZSTD_isError(left) || (left != 0 && to.pos == 0 && in.pos == before)) return damaged("zstd");
    if (decoded.size() + to.pos > bytes_max) return too_large(bytes_max);
    decoded.append(out->data(), to.pos);
  }
  return decoded;
}

}  // namespace

std::optional<failure> decode_body(http_request& request, std::size_t bytes_max) {
  const auto coding = request.field(encoding_field);
  if (coding.empty() || equals_ignoring_case(coding, "identity")) return std::nullopt;
  const bool gzip = equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip");
  if (!gzip && !equals_ignoring_case(coding, "zstd"))
    return failure{errc::unsupported_encoding, "a body may be compressed by gzip or zstd, not by '" + std::string(coding) + "'",
                   std::string(encoding_field)};
  auto decoded = gzip ? decode_gzip(request.body, bytes_max) : decode_zstd(request.body, bytes_max);
  if (!decoded) return decoded.error();
  request.body = *std::move(decoded);
  return std::nullopt;
}

}  // namespace troupe::gateway
