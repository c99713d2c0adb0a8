#include "gateway/audit_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace troupe::gateway {

expected<std::shared_ptr<audit_log>> audit_log::open(audit_options options) {
  auto opened = audit_file::open(options.file, options.bounds);
  if (!opened) return opened.error();
  const auto file = std::make_shared<audit_file>(std::move(*opened));
  return std::make_shared<audit_log>(std::move(options), [file](const std::string& line) { return file->write(line); });
}

audit_log::audit_log(audit_options options, sink write)
    : options_(std::move(options)),
      sink_(std::move(write)),
      waiting_(options_.lines_waiting_max, [this](const auto& next) { this->write(next); }) {}

bool audit_log::hold(std::size_t bytes) {
  if (held_bytes_ += bytes; held_bytes_ <= options_.held_bytes_max) return true;
  held_bytes_ -= bytes;
  return false;
}

void audit_log::add(audit_record record, std::size_t held_bytes) {
  if (record.content_lost) ++contents_lost_;
  if (waiting_.offer({std::move(record), held_bytes})) return;
  held_bytes_ -= held_bytes;
  ++lost_;
}

void audit_log::write(const waiting_record& next) {
  const bool written = sink_(audit_line(next.record, options_.style) + "\n");
  held_bytes_ -= next.held_bytes;
  ++(written ? written_ : lost_);
  if (!written && !failing_) spdlog::error("lines of the audit log are lost: cannot write {}", options_.file.string());
  failing_ = !written;
}

std::string audit_log::metrics() const {
  const auto counter = [](std::string_view name, std::string_view help, std::uint64_t value) {
    const auto full = "troupe_audit_" + std::string(name) + "_total";
    return "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " counter\n" + full + " " + std::to_string(value) + "\n";
  };
  return counter("lines", "Lines written to the audit log.", written_) +
         counter("lines_lost", "Lines that the queue had no room for or the disk did not take.", lost_) +
         counter("contents_lost", "Lines without the content that was to be in them: too much of it was waiting.", contents_lost_);
}

audit_entry::~audit_entry() {
  audit_record record{std::move(request_), std::move(turn_), body_lost_ || answer_lost_};
  log_->add(std::move(record), body_held_ + answer_held_);
}

void audit_entry::note_head(const http_request& head, std::string client, time_point now) {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  request_.at_ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
  request_.client = std::move(client);
  request_.method = head.method;
  // Strangers choose it, and their lines must not push others out.
  constexpr std::size_t path_bytes_max = 1024;
  request_.path = head.path.substr(0, path_bytes_max);
  since_ = now;
}

void audit_entry::note_caller(const caller& who) {
  request_.tenant = who.tenant;
  request_.key_name = who.key_name;
}

void audit_entry::note_answer(const http_response& head) {
  request_.status = head.status;
  for (const auto& field : head.fields) {
    if (field.name == "x-request-id") request_.id = field.value;
    if (field.name == "x-session-id") request_.session = field.value;
    if (field.name == "idempotent-replayed") request_.is_repeat = true;
  }
}

void audit_entry::note_end(time_point now) { request_.latency_s = std::chrono::duration<double>(now - since_).count(); }

void audit_entry::note_usage(std::uint32_t prompt_tokens, std::uint32_t cached_tokens, std::uint32_t output_tokens) {
  turn_.has_usage = true;
  turn_.prompt_tokens = prompt_tokens;
  turn_.cached_tokens = cached_tokens;
  turn_.output_tokens = output_tokens;
}

void audit_entry::keep_body(std::string body) {
  if (!wants_content()) return;
  body_lost_ = !log_->hold(body.size());
  if (body_lost_) return;
  body_held_ = body.size();
  request_.body = std::move(body);
}

void audit_entry::append_answer(std::string_view piece) {
  if (answer_lost_ || !wants_content()) return;
  answer_lost_ = !log_->hold(piece.size());
  if (answer_lost_) return;
  answer_held_ += piece.size();
  turn_.answer += piece;
}

}  // namespace troupe::gateway
