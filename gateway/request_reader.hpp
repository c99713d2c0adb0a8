// The reading half of a connection: bytes to requests, one after the other. Bounded: a header, a body, and all bodies that are being read
// together have their maxima. Knows no socket and no clock.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>
#include <utility>

#include "engine/core/fair_budget.hpp"
#include "gateway/http_message.hpp"
#include "gateway/options.hpp"
#include "gateway/request_body.hpp"

namespace troupe::gateway {

class request_reader {
 public:
  /// What the bytes so far have come to. A head is told once, before anything of its body is kept.
  enum class step { needs_more, has_head, has_request, is_refused };

  /// `uploads`: the bytes of all bodies that are being read, anywhere.
  request_reader(const gateway_options& options, core::fair_budget& uploads);
  ~request_reader() { forget_body(); }
  request_reader(const request_reader&) = delete;
  request_reader& operator=(const request_reader&) = delete;

  /// The next request; what has come of it already stays.
  void begin();
  /// Where bytes may be put now; of size 0 when what is here must be taken first.
  [[nodiscard]] boost::asio::mutable_buffer prepare();
  void commit(std::size_t bytes);
  /// Whose body follows the head that was told.
  void charge_to(const std::string& tenant);
  [[nodiscard]] bool has_bytes() const noexcept { return buffer_.size() > 0; }
  void drop_bytes() { buffer_.clear(); }

  [[nodiscard]] step advance();

  /// Of has_head, and what is known of it before. What a chunked body brings behind it is no part of it.
  [[nodiscard]] const http_request& head();
  [[nodiscard]] bool is_http_1_1() const noexcept { return http_1_1_; }
  [[nodiscard]] bool is_head_only() const noexcept { return head_only_; }
  [[nodiscard]] bool keeps_alive() const { return parser_->get().keep_alive(); }
  /// The client holds the body back until it is told to go on.
  [[nodiscard]] bool wants_continue() const;
  /// Of is_refused.
  [[nodiscard]] const failure& why() const noexcept { return why_; }
  /// Of has_request.
  [[nodiscard]] http_request take();
  /// What is read of a body counts no more.
  void forget_body() { static_cast<void>(count_upload(0)); }

 private:
  [[nodiscard]] bool count_upload(std::size_t bytes);
  step refuse(const boost::system::error_code& error);
  void read_head();
  void fill_head();

  const gateway_options& options_;
  core::fair_budget& uploads_;
  std::array<char, 16 << 10> incoming_;  // a pending read's
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<request_body>> parser_;
  http_request head_;  // without its body
  failure why_;
  std::string tenant_;
  std::size_t upload_bytes_ = 0;  // counted as the tenant's
  // Until the request says otherwise: it may be refused before it does.
  bool http_1_1_ = true, head_only_ = false;
};

}  // namespace troupe::gateway
