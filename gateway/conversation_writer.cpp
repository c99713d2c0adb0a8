#include "gateway/conversation_writer.hpp"

#include <utility>
#include <vector>

namespace troupe::gateway {
namespace {

class conversation_writer final : public answer_writer {
 public:
  conversation_writer(std::unique_ptr<answer_writer> inner, std::shared_ptr<conversation_index> index, session_id session, std::uint64_t asked)
      : inner_(std::move(inner)), index_(std::move(index)), session_(std::move(session)), asked_(asked) {}
  conversation_writer(const conversation_writer&) = delete;
  conversation_writer& operator=(const conversation_writer&) = delete;
  ~conversation_writer() override { index_->leave(session_); }

  void started(const turn_started& event, std::string& out) override { inner_->started(event, out); }

  void delta(const turn_delta& event, std::string& out) override {
    if (event.what == turn_delta::kind::text) text_ += event.text;
    if (event.what == turn_delta::kind::tool_begin && !event.tool_id.empty()) calls_.push_back(event.tool_id);
    inner_->delta(event, out);
  }

  /// Before the client can have read the end.
  void finished(const turn_finished& event, std::string& out) override {
    index_->answered(session_, asked_, text_, calls_);
    inner_->finished(event, out);
  }

  void failed(const failure& error, std::string_view request_id, std::string& out) override { inner_->failed(error, request_id, out); }

 private:
  std::unique_ptr<answer_writer> inner_;
  std::shared_ptr<conversation_index> index_;
  session_id session_;
  std::uint64_t asked_;
  std::string text_;
  std::vector<std::string> calls_;
};

}  // namespace

std::unique_ptr<answer_writer> make_conversation_writer(std::unique_ptr<answer_writer> inner, std::shared_ptr<conversation_index> index,
                                                        session_id session, std::uint64_t asked) {
  return std::make_unique<conversation_writer>(std::move(inner), std::move(index), std::move(session), asked);
}

}  // namespace troupe::gateway
