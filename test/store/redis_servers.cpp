#include "test/store/redis_servers.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace troupe::store::test {
namespace {

int connect_to(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

/// Takes one complete command off the front of `text`; false if there is none yet.
bool take_command(std::string& text, lying_redis::words& words) {
  std::size_t at = 0;
  const auto number = [&](char kind) -> long {
    const auto end = text.find("\r\n", at);
    if (end == std::string::npos || text[at] != kind) return -1;
    const long value = std::atol(text.c_str() + at + 1);
    at = end + 2;
    return value;
  };
  words.clear();
  const long count = number('*');
  for (long i = 0; i < count; ++i) {
    const long size = number('$');
    if (size < 0 || at + static_cast<std::size_t>(size) + 2 > text.size()) return false;
    words.push_back(text.substr(at, static_cast<std::size_t>(size)));
    at += static_cast<std::size_t>(size) + 2;
  }
  if (count > 0) text.erase(0, at);
  return count > 0;
}

}  // namespace

bool has_redis() {
  if (std::system("command -v redis-server >/dev/null 2>&1") == 0) return true;
  MESSAGE("skipped: redis-server is not installed");
  return false;
}

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(probe, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(probe);
  return ntohs(address.sin_port);
}

real_redis::real_redis(const std::vector<std::string>& arguments) : socket_((folder_.path / "redis").string()), arguments_(arguments) {
  start();
}

real_redis::~real_redis() { stop(); }

void real_redis::start() {
  std::vector<std::string> words{"redis-server",
                                 "--port",
                                 "0",
                                 "--unixsocket",
                                 socket_,
                                 "--save",
                                 "",
                                 "--dir",
                                 folder_.path.string(),
                                 "--logfile",
                                 (folder_.path / "log").string()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  process_ = ::fork();
  REQUIRE(process_ >= 0);
  if (process_ == 0) {
    ::execvp("redis-server", pointers.data());
    ::_exit(127);
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int probe = -1;
  while ((probe = connect_to(socket_)) < 0) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::yield();
  }
  ::close(probe);
}

void real_redis::stop() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

void real_redis::freeze() {
  REQUIRE(::kill(process_, SIGSTOP) == 0);
  int status = 0;
  REQUIRE(::waitpid(process_, &status, WUNTRACED) == process_);
}

void real_redis::thaw() { REQUIRE(::kill(process_, SIGCONT) == 0); }

std::string real_redis::run(const std::string& command) const {
  const auto line = "redis-cli -s '" + socket_ + "' " + command;
  std::string output;
  FILE* const pipe = ::popen(line.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer;
  for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), count);
  ::pclose(pipe);
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

lying_redis::lying_redis(std::function<std::string(const words&)> answer)
    : socket_((folder_.path / "redis").string()), answer_(std::move(answer)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof address.sun_path - 1);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener_, 8) == 0);
  thread_ = std::thread([this] { serve(); });
}

lying_redis::~lying_redis() {
  ends_ = true;
  thread_.join();
  ::close(listener_);
}

void lying_redis::serve() {
  while (!ends_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 10) <= 0) continue;
    const int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) continue;
    ++connections_;
    talk(peer);
    ::close(peer);
  }
}

void lying_redis::talk(int peer) {
  std::string received;
  std::array<char, 65536> buffer;
  while (!ends_) {
    pollfd waiting{peer, POLLIN, 0};
    if (::poll(&waiting, 1, 10) == 0) continue;
    const auto count = ::recv(peer, buffer.data(), buffer.size(), 0);
    if (count <= 0) return;
    received.append(buffer.data(), static_cast<std::size_t>(count));
    for (words command; take_command(received, command);) {
      const auto reply = answer_(command);
      if (reply.empty()) return;
      for (std::size_t at = 0; at < reply.size() && !ends_;) {
        waiting.events = POLLOUT;
        if (::poll(&waiting, 1, 10) == 0) continue;
        const auto sent = ::send(peer, reply.data() + at, reply.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) return;
        if (sent > 0) at += static_cast<std::size_t>(sent);
      }
    }
  }
}

}  // namespace troupe::store::test
