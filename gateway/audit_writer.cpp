#include "gateway/audit_writer.hpp"

#include <optional>
#include <utility>

namespace troupe::gateway {
namespace {

class audit_writer final : public answer_writer {
 public:
  audit_writer(std::unique_ptr<answer_writer> inner, std::shared_ptr<audit_entry> entry)
      : inner_(std::move(inner)), entry_(std::move(entry)) {}

  void started(const turn_started& event, std::string& out) override {
    if (entry_) entry_->note_usage(event.prompt_tokens, event.cached_tokens, 0);
    inner_->started(event, out);
  }

  void delta(const turn_delta& event, std::string& out) override {
    if (entry_ && entry_->wants_content()) append(event);
    inner_->delta(event, out);
  }

  void finished(const turn_finished& event, std::string& out) override {
    const auto& usage = event.usage;
    if (entry_) entry_->note_usage(usage.prompt_tokens, usage.cached_tokens, usage.output_tokens);
    inner_->finished(event, out);
    entry_.reset();
  }

  void failed(const failure& error, std::string_view request_id, std::string& out) override {
    inner_->failed(error, request_id, out);
    entry_.reset();
  }

  void refused(const failure& error) override {
    inner_->refused(error);
    entry_.reset();
  }

 private:
  /// Each kind of piece on lines of its own.
  void append(const turn_delta& event) {
    if (last_ && (*last_ != event.what || event.what == turn_delta::kind::tool_begin)) entry_->append_answer("\n");
    last_ = event.what;
    entry_->append_answer(event.what == turn_delta::kind::tool_begin ? event.tool_name : event.text);
  }

  std::unique_ptr<answer_writer> inner_;
  std::shared_ptr<audit_entry> entry_;
  std::optional<turn_delta::kind> last_;
};

}  // namespace

route_result audited(route_result result, const std::shared_ptr<audit_entry>& entry) {
  auto* job = std::get_if<turn_job>(&result);
  if (entry == nullptr || job == nullptr) return result;
  entry->note_model(job->turn.model.value);
  job->writer = std::make_unique<audit_writer>(std::move(job->writer), entry);
  return result;
}

}  // namespace troupe::gateway
