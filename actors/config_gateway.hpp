// [gateway]: where it listens, as whom, and what a client may take.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "messages/base/limits.hpp"

namespace troupe::actors {

struct gateway_config {
  std::string address = "127.0.0.1";  ///< a loopback address while there are no keys
  std::uint16_t port = 8000;          ///< 0: any free one
  std::uint32_t io_threads = 0;       ///< that read requests and write answers; 0: those that run the actors
  std::uint32_t connections_max = limits::connections_max;
  std::uint64_t body_bytes_max = limits::body_bytes_max;
  std::uint32_t request_timeout_ms = std::chrono::milliseconds(limits::request_timeout).count();
  std::uint32_t sse_comment_interval_ms = std::chrono::milliseconds(limits::sse_comment_interval).count();
  std::uint64_t stream_bytes_queued_max = limits::stream_bytes_queued_max;
  std::uint64_t uploads_bytes_max = limits::uploads_bytes_max;
  std::uint32_t conversations_max = limits::conversations_max;
  std::uint32_t kept_turns_max = limits::kept_turns_max;
  std::uint64_t kept_turns_bytes_max = limits::kept_turns_bytes_max;
  std::filesystem::path tls_certificate, tls_key;  ///< PEM: the chain, and its key of mode 0600; both or neither
  bool operator==(const gateway_config&) const = default;
};

}  // namespace troupe::actors
