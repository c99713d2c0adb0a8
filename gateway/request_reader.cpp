#include "gateway/request_reader.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace troupe::gateway {
namespace {

namespace http = boost::beast::http;

}  // namespace

request_reader::request_reader(const gateway_options& options, core::fair_budget& uploads)
    : options_(options), uploads_(uploads), buffer_(options.header_bytes_max + incoming_.size()) {
  begin();
}

void request_reader::begin() {
  http_1_1_ = true;
  head_only_ = false;
  parser_.emplace();
  head_ = {};
  parser_->header_limit(static_cast<std::uint32_t>(options_.header_bytes_max));
  parser_->body_limit(options_.body_bytes_max);
}

// Not the buffer itself: what is parsed meanwhile may move its end away from where a pending read would write.
boost::asio::mutable_buffer request_reader::prepare() {
  return boost::asio::buffer(incoming_, std::min(buffer_.max_size() - buffer_.size(), incoming_.size()));
}

void request_reader::commit(std::size_t bytes) {
  buffer_.commit(boost::asio::buffer_copy(buffer_.prepare(bytes), boost::asio::buffer(incoming_, bytes)));
}

request_reader::step request_reader::advance() {
  while (!parser_->is_done() && buffer_.size() > 0) {
    boost::system::error_code error;
    const bool had_header = parser_->is_header_done();
    buffer_.consume(parser_->put(buffer_.cdata(), error));
    if (error && error != http::error::need_more) return refuse(error);
    if (!had_header && parser_->is_header_done()) {
      read_head();
      return step::has_head;
    }
    if (!count_upload(parser_->get().body().size())) {
      why_ = {errc::queue_full, "too many bodies are being read", {}};
      return step::is_refused;
    }
    if (error) break;
  }
  if (parser_->is_done()) return step::has_request;
  return buffer_.size() == buffer_.max_size() ? refuse(http::error::header_limit) : step::needs_more;
}

void request_reader::read_head() {
  parser_->eager(true);
  http_1_1_ = parser_->get().version() >= 11;
  head_only_ = parser_->get().method() == http::verb::head;
  fill_head();
}

const http_request& request_reader::head() {
  if (head_.method.empty() && parser_) fill_head();
  return head_;
}

void request_reader::fill_head() {
  const auto& message = parser_->get();
  head_.method = std::string(message.method_string());
  head_.fields.clear();
  for (const auto& field : message) head_.fields.push_back({std::string(field.name_string()), std::string(field.value())});
  read_target(message.target(), head_);
}

bool request_reader::wants_continue() const {
  return !parser_->is_done() && http_1_1_ && boost::beast::iequals(parser_->get()[http::field::expect], "100-continue");
}

http_request request_reader::take() {
  auto request = std::move(head_);
  head_ = {};
  request.body = std::move(parser_->get().body());
  parser_.reset();
  return request;
}

void request_reader::charge_to(const std::string& tenant) {
  forget_body();
  tenant_ = tenant;
}

/// Keeps the bytes of the body that is being read in the sum of all; false when that is too much.
bool request_reader::count_upload(std::size_t bytes) {
  const auto before = std::exchange(upload_bytes_, bytes);
  if (bytes > before) return uploads_.take(tenant_, bytes - before);
  if (bytes < before) uploads_.give_back(tenant_, before - bytes);
  return true;
}

request_reader::step request_reader::refuse(const boost::system::error_code& error) {
  why_ = {errc::invalid_request, "the request is not valid HTTP: " + error.message(), {}};
  if (error == http::error::header_limit)
    why_ = {errc::headers_too_large, "the header must be at most " + std::to_string(options_.header_bytes_max) + " bytes long", {}};
  if (error == http::error::body_limit)
    why_ = {errc::body_too_large, "the body must be at most " + std::to_string(options_.body_bytes_max) + " bytes long", {}};
  return step::is_refused;
}

}  // namespace troupe::gateway
