#include "gateway/kept_turn.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "gateway/connection.hpp"
#include "gateway/turn_registry.hpp"

namespace troupe::gateway {
namespace asio = boost::asio;
namespace {

// The least that a running turn keeps when all of them keep too much: its readers may be a little behind.
constexpr std::size_t kept_bytes_min = 128 << 10;

}  // namespace

kept_turn::kept_turn(std::shared_ptr<const connection_context> context, turn_key key)
    : context_(std::move(context)),
      key_(std::move(key)),
      strand_(asio::make_strand(*context_->io)),
      timer_(strand_),
      record_(context_->options.kept_turn_bytes_max) {}

kept_turn::~kept_turn() { context_->turns->release_bytes(key_.tenant, record_.bytes()); }

// Any thread

void kept_turn::start(turn_job job, std::string request_id, error_shape shape) {
  asio::post(strand_, [self = shared_from_this(), job = std::move(job), id = std::move(request_id), shape]() mutable {
    self->run(std::move(job), std::move(id), shape);
  });
}

bool kept_turn::join() {
  const std::lock_guard lock(mutex_);
  if (cancelled_) return false;
  ++joined_;
  return true;
}

void kept_turn::leave() {
  const std::lock_guard lock(mutex_);
  if (--joined_ > 0 || record_.is_over()) return;
  left_at_ = now();
  asio::post(strand_, [self = shared_from_this()] { self->arm(); });
}

void kept_turn::watch(turn_watcher& watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.push_back(&watcher);
}

void kept_turn::unwatch(turn_watcher& watcher) {
  const std::lock_guard lock(mutex_);
  std::erase(watchers_, &watcher);
}

turn_record::progress kept_turn::read(std::uint64_t& next, std::size_t bytes_max, std::string& out) const {
  const std::lock_guard lock(mutex_);
  return record_.read(next, bytes_max, out);
}

std::shared_ptr<const http_response> kept_turn::head() const {
  const std::lock_guard lock(mutex_);
  return record_.head();
}

std::uint64_t kept_turn::frames() const {
  const std::lock_guard lock(mutex_);
  return record_.frames();
}

bool kept_turn::is_read() const {
  const std::lock_guard lock(mutex_);
  return joined_ > 0;
}

bool kept_turn::discard_unread() {
  const std::lock_guard lock(mutex_);
  if (joined_ > 0) return false;
  context_->turns->release_bytes(key_.tenant, record_.bytes());
  record_.discard();
  return true;
}

void kept_turn::stop() {
  asio::post(strand_, [self = shared_from_this()] {
    std::unique_lock lock(self->mutex_);
    self->cancelled_ = true;
    lock.unlock();
    self->abandon();
  });
}

// On the strand

void kept_turn::run(turn_job job, std::string request_id, error_shape shape) {
  std::unique_lock lock(mutex_);
  if (cancelled_) return;
  lock.unlock();
  link_ = context_->make_link(strand_, context_->io);
  exchange_ = std::make_shared<exchange>(*this, *link_, context_->options, std::move(request_id), shape);
  exchange_->run(std::move(job));
  arm();
}

std::function<void(std::function<void()>)> kept_turn::poster() const {
  return [io = context_->io, where = strand_](std::function<void()> what) { asio::post(where, std::move(what)); };
}

template <class Change>
void kept_turn::write(Change change) {
  std::unique_lock lock(mutex_);
  const auto before = record_.bytes();
  change(record_);
  const auto after = record_.bytes();
  for (auto* watcher : watchers_) watcher->turn_changed();
  lock.unlock();
  if (after < before) return context_->turns->release_bytes(key_.tenant, before - after);
  if (context_->turns->add_bytes(key_.tenant, after - before)) return;
  lock.lock();
  record_.trim(kept_bytes_min);
  context_->turns->release_bytes(key_.tenant, after - record_.bytes());
}

void kept_turn::respond(http_response response) {
  // Those who wait are told of a failure; whoever comes back after it asks anew.
  if (response.status != 200) context_->turns->forget(*this);
  write([&](turn_record& record) { record.finish(std::move(response)); });
  end();
}

void kept_turn::begin_stream(http_response head) {
  write([&](turn_record& record) { record.begin(std::move(head)); });
}

void kept_turn::flush() {
  write([this](turn_record& record) { record.append(frames_); });
  frames_.clear();
}

void kept_turn::end_stream() {
  if (how_ == turn_record::ending::failed && frames() == 0) context_->turns->forget(*this);
  write([this](turn_record& record) {
    record.append(frames_);
    record.end(how_);
  });
  end();
}

void kept_turn::end() {
  frames_ = {};
  timer_.cancel();  // it may be set to a deadline that counts no more
  armed_ = never;
  if (context_->turns->ended(*this)) forget_at_ = now() + context_->options.kept_turn_time;
  drop_exchange();
  arm();
}

/// It may be our caller: it goes with a handler of its own.
void kept_turn::drop_exchange() {
  asio::post(strand_, [self = shared_from_this()] {
    self->exchange_.reset();
    self->link_.reset();
  });
}

void kept_turn::arm() {
  const auto next = std::min({forget_at_, unread_until(), exchange_ ? exchange_->wake_at() : never});
  if (next >= armed_) return;
  armed_ = next;
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->on_timer();
  });
}

void kept_turn::on_timer() {
  armed_ = never;
  const auto time = now();
  if (time >= forget_at_) return context_->turns->forget(*this);
  if (time >= unread_until() && cancel_unread()) return;
  if (const auto running = exchange_; running && time >= running->wake_at()) running->wake();
  arm();
}

time_point kept_turn::unread_until() const {
  const std::lock_guard lock(mutex_);
  if (joined_ > 0 || left_at_ == never || cancelled_ || record_.is_over()) return never;
  return left_at_ + context_->options.kept_turn_orphan_wait;
}

bool kept_turn::cancel_unread() {
  std::unique_lock lock(mutex_);
  if (joined_ > 0) return false;
  cancelled_ = true;
  lock.unlock();
  context_->turns->forget(*this);
  abandon();
  return true;
}

void kept_turn::abandon() {
  forget_at_ = never;
  timer_.cancel();
  if (exchange_) exchange_->abandon();
  drop_exchange();
}

}  // namespace troupe::gateway
