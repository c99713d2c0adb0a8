#include "bench/http_load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace troupe::bench {
namespace {

using clock = std::chrono::steady_clock;
constexpr int silence_ms_max = 30'000;

/// What is seen of one answer while its bytes arrive.
class answer_scan {
 public:
  /// Whether the answer is complete; `events` grows by the "data:" lines seen.
  bool take(std::string_view bytes, std::uint64_t& events) {
    if (!head_done_) {
      head_.append(bytes);
      const auto end = head_.find("\r\n\r\n");
      if (end == head_.npos) return false;
      read_head(std::string_view(head_).substr(0, end));
      const std::string rest = head_.substr(end + 4);
      return take_body(rest, events);
    }
    return take_body(bytes, events);
  }

 private:
  void read_head(std::string_view head) {
    if (head.substr(0, 12) != "HTTP/1.1 200") throw std::runtime_error(std::string(head.substr(0, 400)));
    head_done_ = true;
    constexpr std::string_view length = "ontent-Length: ", lower = "ontent-length: ";
    auto found = head.find(length);
    if (found == head.npos) found = head.find(lower);
    chunked_ = found == head.npos;
    if (!chunked_) left_ = std::strtoul(head.data() + found + length.size(), nullptr, 10);
  }
  bool take_body(std::string_view bytes, std::uint64_t& events) {
    if (!chunked_) {
      left_ -= std::min<std::size_t>(left_, bytes.size());
      return left_ == 0;
    }
    // A mark may lie across two reads.
    std::string joined = tail_;
    joined.append(bytes);
    for (auto at = joined.find("\ndata: "); at != joined.npos; at = joined.find("\ndata: ", at + 1)) ++events;
    const bool complete = joined.ends_with("\r\n0\r\n\r\n");
    tail_ = joined.substr(joined.size() - std::min<std::size_t>(joined.size(), 6));
    return complete;
  }

  std::string head_, tail_;
  bool head_done_ = false, chunked_ = false;
  std::size_t left_ = 0;
};

struct client {
  int socket = -1;
  unsigned asked = 0;  // requests so far
  bool waits = false;
  bool saw_event = false;
  clock::time_point due;
  answer_scan scan;
};

class generator {
 public:
  generator(std::uint16_t port, const load_plan& plan) : plan_(plan), clients_(plan.connections), poll_(epoll_create1(0)) {
    for (std::size_t i = 0; i < clients_.size(); ++i) open(port, i);
  }
  ~generator() {
    for (auto& each : clients_) close(each.socket);
    close(poll_);
  }
  generator(const generator&) = delete;
  generator& operator=(const generator&) = delete;

  load_result run() {
    prctl(PR_SET_TIMERSLACK, 1UL);  // else the kernel may wake us 50 us late
    begin_ = clock::now();
    last_ = begin_;
    for (std::size_t i = 0; i < clients_.size(); ++i) free_.push_back(i);
    while (result_.latency_s.size() < plan_.requests) {
      ask();
      wait();
    }
    result_.seconds = std::chrono::duration<double>(clock::now() - begin_).count();
    return std::move(result_);
  }

 private:
  void open(std::uint16_t port, std::size_t i) {
    auto& each = clients_[i];
    each.socket = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(each.socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("cannot connect");
    const int on = 1;
    setsockopt(each.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(each.socket, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(poll_, EPOLL_CTL_ADD, each.socket, &event);
  }

  /// Sends what is due.
  void ask() {
    while (!free_.empty() && begun_ < plan_.requests) {
      auto due = clock::now();
      if (plan_.requests_per_s > 0) {
        if (next_due() > due) return;
        due = next_due();
      }
      const auto i = free_.front();
      free_.pop_front();
      auto& each = clients_[i];
      each.scan = {};
      each.saw_event = false;
      each.due = due;
      const auto& bytes = plan_.request(static_cast<unsigned>(i), each.asked++);
      if (send(each.socket, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("cannot write");
      ++begun_;
    }
  }

  [[nodiscard]] clock::time_point next_due() const {
    return begin_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(begun_ / plan_.requests_per_s));
  }

  /// A fixed rate is kept by waiting for its nanosecond: whole milliseconds would bunch requests, and looking again and again would take from the
  /// server what two cores share.
  void plan_wait() {
    const bool is_paced = plan_.requests_per_s > 0 && begun_ < plan_.requests && !free_.empty();
    const auto longest = std::chrono::nanoseconds(std::chrono::milliseconds(silence_ms_max));
    const auto wait = is_paced ? std::clamp(std::chrono::nanoseconds(next_due() - clock::now()), std::chrono::nanoseconds(0), longest) : longest;
    waits_ = {static_cast<time_t>(wait.count() / 1'000'000'000), static_cast<long>(wait.count() % 1'000'000'000)};
  }

  void wait() {
    plan_wait();
    std::array<epoll_event, 64> events{};
    const int count = epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &waits_, nullptr);
    const auto now = clock::now();
    if (count > 0) last_ = now;
    if (now - last_ >= std::chrono::milliseconds(silence_ms_max)) throw std::runtime_error("nothing happened for 30 s");
    for (int k = 0; k < count; ++k) take(events[static_cast<std::size_t>(k)].data.u64);
  }

  void take(std::size_t i) {
    auto& each = clients_[i];
    const auto bytes = recv(each.socket, buffer_.data(), buffer_.size(), 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes <= 0) throw std::runtime_error("the connection was cut");
    result_.bytes += static_cast<std::uint64_t>(bytes);
    const auto before = result_.events;
    const bool complete = each.scan.take({buffer_.data(), static_cast<std::size_t>(bytes)}, result_.events);
    const auto since = [&each] { return std::chrono::duration<double>(clock::now() - each.due).count(); };
    if (!each.saw_event && result_.events > before) {
      each.saw_event = true;
      result_.first_event_s.push_back(since());
    }
    if (!complete) return;
    result_.latency_s.push_back(since());
    free_.push_back(i);
  }

  const load_plan& plan_;
  std::vector<client> clients_;
  std::deque<std::size_t> free_;
  int poll_;
  clock::time_point begin_, last_;
  timespec waits_{};
  unsigned begun_ = 0;
  load_result result_;
  std::array<char, 1 << 16> buffer_{};
};

}  // namespace

load_result run_load(std::uint16_t port, const load_plan& plan) { return generator(port, plan).run(); }

}  // namespace troupe::bench
