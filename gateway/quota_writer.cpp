// What a turn costs: prompt tokens that were computed, and all that were generated. One that is cut off while it runs costs what was
// estimated, or what is known of it by then and more: nobody saves by leaving early. One that was refused costs nothing.
#include "gateway/quota_writer.hpp"

#include <utility>

namespace troupe::gateway {
namespace {

class quota_writer final : public answer_writer {
 public:
  quota_writer(std::unique_ptr<answer_writer> inner, quota_lease lease) : inner_(std::move(inner)), lease_(std::move(lease)) {}

  void started(const turn_started& event, std::string& out) override {
    has_started_ = true;
    computed_tokens_ = event.prompt_tokens - event.cached_tokens;
    lease_.owe(computed_tokens_);
    inner_->started(event, out);
  }
  void delta(const turn_delta& event, std::string& out) override {
    lease_.owe(std::uint64_t{computed_tokens_} + event.output_tokens);
    inner_->delta(event, out);
  }

  /// Before the client can have read the end: its next turn finds the place free.
  void finished(const turn_finished& event, std::string& out) override {
    lease_.settle(event.usage.prompt_tokens - event.usage.cached_tokens + event.usage.output_tokens);
    inner_->finished(event, out);
  }

  void failed(const failure& error, std::string_view request_id, std::string& out) override { inner_->failed(error, request_id, out); }

  void refused(const failure& error) override {
    if (!has_started_ && error.code != errc::deadline_exceeded) lease_.refund();  // it may have computed until then
    inner_->refused(error);
  }

 private:
  std::unique_ptr<answer_writer> inner_;
  quota_lease lease_;
  std::uint32_t computed_tokens_ = 0;  // of the prompt
  bool has_started_ = false;
};

}  // namespace

std::unique_ptr<answer_writer> make_quota_writer(std::unique_ptr<answer_writer> inner, quota_lease lease) {
  return std::make_unique<quota_writer>(std::move(inner), std::move(lease));
}

}  // namespace troupe::gateway
