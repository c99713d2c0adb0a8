#include "engine/store/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/store/name_lookup.hpp"

namespace troupe::store {
namespace {

using fault = redis_connection::fault;

/// Beside a reply's own bytes: its type, length and line ends, and what one read may bring of the next reply.
constexpr std::size_t reply_slack_bytes = 128 << 10;
constexpr std::size_t read_bytes = 64 << 10;

/// Replies as hiredis builds them. They may not throw through its frames; a null is its "out of memory", which closes the connection.
redis_reply* make_reply(redis_reply::kind what, const char* text = nullptr, std::size_t size = 0) noexcept {
  try {
    auto reply = std::make_unique<redis_reply>();
    reply->what = what;
    const auto* const begin = reinterpret_cast<const std::byte*>(text);
    reply->bytes.assign(begin, begin + size);
    return reply.release();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  const auto what = task->type == REDIS_REPLY_STRING  ? redis_reply::kind::bulk
                    : task->type == REDIS_REPLY_ERROR ? redis_reply::kind::error
                                                      : redis_reply::kind::status;
  return make_reply(what, text, size);
}
void* make_integer(const redisReadTask*, long long value) {
  auto* const reply = make_reply(redis_reply::kind::integer);
  if (reply != nullptr) reply->integer = value;
  return reply;
}
void* make_nil(const redisReadTask*) { return make_reply(redis_reply::kind::nil); }
/// No command of ours is answered by an array, and its announced length is not to be trusted.
void* refuse_array(const redisReadTask*, int) { return nullptr; }
void free_reply(void* reply) { delete static_cast<redis_reply*>(reply); }

redisReplyObjectFunctions reply_functions{make_text, refuse_array, make_integer, make_nil, free_reply};

/// Waits for `events`; false at the deadline.
bool wait_for(int descriptor, short events, redis_connection::deadline until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{descriptor, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, INT_MAX)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

void append_length(std::string& to, char kind, std::size_t length) { to.append(1, kind).append(std::to_string(length)).append("\r\n"); }

void append_word(std::string& to, std::string_view word) {
  append_length(to, '$', word.size());
  to.append(word).append("\r\n");
}

struct free_context {
  void operator()(redisContext* context) const { redisFree(context); }
};

}  // namespace

void redis_commands::add_piece(std::string text) {
  auto& kept = texts_.emplace_back(std::move(text));
  pieces_.push_back({kept.data(), kept.size()});
}

void redis_commands::add(std::initializer_list<std::string_view> words) {
  std::string text;
  append_length(text, '*', words.size());
  for (const auto word : words) append_word(text, word);
  add_piece(std::move(text));
  ++count_;
}

void redis_commands::add_set(std::string_view key, std::vector<std::byte> front, std::span<const std::byte> payload, std::int64_t ttl_ms) {
  std::string begin, end("\r\n");
  append_length(begin, '*', 5);
  append_word(begin, "SET");
  append_word(begin, key);
  append_length(begin, '$', front.size() + payload.size());
  append_word(end, "PX");
  append_word(end, std::to_string(ttl_ms));
  add_piece(std::move(begin));
  auto& kept = fronts_.emplace_back(std::move(front));
  pieces_.push_back({kept.data(), kept.size()});
  pieces_.push_back({const_cast<std::byte*>(payload.data()), payload.size()});  // sent from, never written to
  add_piece(std::move(end));
  ++count_;
}

struct redis_connection::state {
  std::unique_ptr<redisContext, free_context> context;
  std::vector<char> read_buffer = std::vector<char>(read_bytes);
  name_lookup lookup;

  [[nodiscard]] int descriptor() const { return context->fd; }
  [[nodiscard]] std::size_t unparsed() const { return context->reader->len - context->reader->pos; }

  /// Waits for a connection that has begun.
  fault reach(redisContext* begun, redis_connection::deadline until) {
    context.reset(begun);
    if (!context || context->err != 0) return fault::gone;
    context->reader->fn = &reply_functions;
    context->reader->maxbuf = 0;  // keep the buffer: replies are as large as blocks
    if (!wait_for(descriptor(), POLLOUT, until)) return fault::late;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return fault::gone;
    const int no_delay = 1;
    ::setsockopt(descriptor(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);  // a Unix socket has no such option
    return fault::none;
  }

  /// Sends what the socket takes of `pieces` from (index, offset) on.
  fault send_some(const std::vector<iovec>& pieces, std::size_t& index, std::size_t& offset) {
    while (index < pieces.size()) {
      std::array<iovec, 64> window;
      const auto count = std::min(window.size(), pieces.size() - index);
      std::copy_n(pieces.begin() + static_cast<std::ptrdiff_t>(index), count, window.begin());
      window[0] = {static_cast<char*>(window[0].iov_base) + offset, window[0].iov_len - offset};
      msghdr message{};
      message.msg_iov = window.data();
      message.msg_iovlen = count;
      const auto sent = ::sendmsg(descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? fault::none : fault::gone;
      offset += static_cast<std::size_t>(sent);
      while (index < pieces.size() && offset >= pieces[index].iov_len) offset -= pieces[index++].iov_len;
    }
    return fault::none;
  }

  /// Feeds what the socket has, one read of it.
  fault receive_some() {
    const auto count = ::recv(descriptor(), read_buffer.data(), read_buffer.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? fault::none : fault::gone;
    if (count == 0) return fault::gone;
    return redisReaderFeed(context->reader, read_buffer.data(), static_cast<std::size_t>(count)) == REDIS_OK ? fault::none : fault::lying;
  }

  /// The next reply that is complete, if any.
  fault next_reply(std::unique_ptr<redis_reply>& reply) {
    void* parsed = nullptr;
    if (redisReaderGetReply(context->reader, &parsed) != REDIS_OK) return fault::lying;
    reply.reset(static_cast<redis_reply*>(parsed));
    return fault::none;
  }
};

redis_connection::redis_connection() : state_(std::make_unique<state>()) {}
redis_connection::~redis_connection() = default;

void redis_connection::close() { state_->context.reset(); }

fault redis_connection::close_for(fault why) {
  if (why != fault::none) close();
  return why;
}

bool redis_connection::is_usable() {
  if (!state_->context) return false;
  char unexpected = 0;
  const auto count = ::recv(state_->descriptor(), &unexpected, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool is_quiet = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && state_->unparsed() == 0;
  if (!is_quiet) close();
  return is_quiet;
}

fault redis_connection::connect(const redis_address& address, deadline until) {
  close();
  auto failed = fault::gone;
  if (!address.unix_path.empty()) {
    failed = state_->reach(redisConnectUnixNonBlock(address.unix_path.c_str()), until);
  } else {
    for (const auto& numeric : state_->lookup.find(address.host, until)) {
      failed = state_->reach(redisConnectNonBlock(numeric.c_str(), address.port), until);
      if (failed == fault::none || failed == fault::late) break;
    }
    if (failed == fault::gone && std::chrono::steady_clock::now() >= until) failed = fault::late;
  }
  return failed == fault::none ? greet(address, until) : close_for(failed);
}

fault redis_connection::greet(const redis_address& address, deadline until) {
  if (address.password.empty()) return fault::none;
  redis_commands greeting;
  if (address.user.empty())
    greeting.add({"AUTH", address.password});
  else
    greeting.add({"AUTH", address.user, address.password});
  bool is_welcome = false;
  const auto failed = run(greeting, 1024, until, [&is_welcome](std::size_t, redis_reply&& reply) {
    is_welcome = reply.what == redis_reply::kind::status;
    return true;
  });
  return failed != fault::none ? failed : close_for(is_welcome ? fault::none : fault::gone);
}

fault redis_connection::run(const redis_commands& commands, std::size_t reply_bytes_max, deadline until,
                            const std::function<bool(std::size_t, redis_reply&&)>& take) {
  const auto& pieces = commands.pieces();
  std::size_t index = 0, offset = 0, taken = 0;
  while (taken < commands.count()) {
    if (const auto failed = state_->send_some(pieces, index, offset); failed != fault::none) return close_for(failed);
    const short events = index < pieces.size() ? POLLIN | POLLOUT : POLLIN;
    if (!wait_for(state_->descriptor(), events, until)) return close_for(fault::late);
    if (const auto failed = state_->receive_some(); failed != fault::none) return close_for(failed);
    for (std::unique_ptr<redis_reply> reply; taken < commands.count();) {
      if (const auto failed = state_->next_reply(reply); failed != fault::none) return close_for(failed);
      if (!reply) break;
      if (!take(taken++, std::move(*reply))) return close_for(fault::lying);
    }
    if (state_->unparsed() > reply_bytes_max + reply_slack_bytes) return close_for(fault::lying);
  }
  // An answer to nothing would be taken for the next command's.
  return close_for(index == pieces.size() && state_->unparsed() == 0 ? fault::none : fault::lying);
}

}  // namespace troupe::store
