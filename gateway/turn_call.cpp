// The sink of one turn: directory -> session -> accepted -> events -> end.
//
//   asking_directory -> spawning -> offering -> accepted -> ended        any of them -> ended by cancel, failure or the session's death
//
// It quits at its end, so that a session which monitors its sink hears of a client that is gone whatever else got lost.
#include "gateway/link_actor.hpp"

namespace troupe::gateway {
namespace {

class turn_call final : public link_actor {
 public:
  turn_call(caf::actor_config& config, std::shared_ptr<shared_link> link, session_spawn spawn, turn_request turn, turn_events events)
      : link_actor(config, std::move(link), std::chrono::milliseconds(turn.timeout_ms)),
        spawn_(std::move(spawn)),
        turn_(std::move(turn)),
        events_(std::move(events)) {
    set_down_handler([this](caf::down_msg& message) {
      if (session_ && message.source == session_.address()) session_down();
    });
  }

 protected:
  caf::behavior make_behavior() override {
    find_session();
    return {
        [this](turn_started& event) { tell(std::move(event)); },
        [this](turn_delta& event) { tell(std::move(event)); },
        [this](turn_finished& event) {
          if (event.id == turn_.id) finish(std::move(event));
        },
        [this](const turn_cancel& cancel) { this->cancel(cancel.why); },
    };
  }

  /// A session that was spawned for this turn has nobody else who could end it, and its spawn may still be under way.
  void fail(failure error) override {
    if (!accepted_ && spawn_.one_turn) give_up_session();
    finish(std::move(error));
  }

 private:
  void find_session() {
    with_directory([this](const session_directory_actor& directory) {
      spawned_by_ = directory;
      request(directory, remaining(), spawn_)
          .then([this](const session_info&, const session_actor& session) { offer_turn(session); },
                [this](caf::error& error) { retry_or_fail(error, [this] { find_session(); }); });
    });
  }

  void offer_turn(const session_actor& session) {
    session_ = session;
    monitor(session_);
    turn_.timeout_ms = static_cast<std::uint32_t>(remaining().count());
    request(session_, remaining(), turn_, caf::actor_cast<turn_sink_actor>(this))
        .then([this](request_id) { accepted_ = true; },
              [this, offer = offers_](caf::error& error) {
                if (offer == offers_) refused(error);
              });
  }

  /// Before the acceptance this may be told twice, by the request and by the monitor: only the first counts.
  void refused(const caf::error& error) {
    ++offers_;
    if (session_) demonitor(session_.address());
    session_ = session_actor{};
    retry_or_fail(error, [this] { find_session(); });
  }

  void session_down() {
    if (!accepted_) return refused(caf::make_error(caf::sec::request_receiver_down));
    session_ = session_actor{};
    fail({errc::worker_lost, "the session ended before its answer did", {}});
  }

  template <class Event>
  void tell(Event&& event) {
    if (!events_ || event.id != turn_.id) return;
    events_(turn_event(std::forward<Event>(event)));
  }

  template <class Event>
  void finish(Event event) {
    if (!events_) return;
    // They stay until the end was told: when its translation throws, the exception handler tells of that instead.
    const auto events = events_;
    if (std::is_same_v<Event, failure>) events_ = nullptr;
    events(turn_event(std::move(event)));
    events_ = nullptr;
    leave();
  }

  void cancel(errc why) {
    if (session_)
      send(session_, turn_cancel{turn_.id, why});
    else if (turn_.hints.final_turn)
      give_up_session();
    events_ = nullptr;
    leave();
  }

  /// Nobody else will ever name it.
  void give_up_session() {
    if (spawned_by_) caf::anon_send(spawned_by_, session_verb{spawn_.id, {}, verb_kind::die, 0, {}});
  }

  /// A session that lives for hundreds of turns must not keep a record of each that watched it.
  void leave() {
    if (session_) demonitor(session_.address());
    quit();
  }

  session_spawn spawn_;
  turn_request turn_;
  turn_events events_;  // empty after the end
  session_directory_actor spawned_by_;  // as last asked
  session_actor session_;
  bool accepted_ = false;
  std::uint32_t offers_ = 0;  // that were refused
};

}  // namespace

std::unique_ptr<actor_call> start_turn_call(std::shared_ptr<shared_link> link, session_spawn spawn, turn_request turn, turn_events events) {
  auto& system = link->system;
  const auto id = turn.id;
  return std::make_unique<actor_handle>(system.spawn<turn_call>(std::move(link), std::move(spawn), std::move(turn), std::move(events)), id);
}

}  // namespace troupe::gateway
