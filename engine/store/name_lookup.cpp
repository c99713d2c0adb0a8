#include "engine/store/name_lookup.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace troupe::store {

struct name_lookup::question {
  std::string host;
  std::mutex mutex;
  std::condition_variable answered;
  bool is_answered = false;
  std::vector<std::string> addresses;
};

namespace {

bool is_numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

std::vector<std::string> resolve(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<std::string> addresses;
  if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0) return addresses;
  std::array<char, NI_MAXHOST> text{};
  for (const auto* each = found; each != nullptr; each = each->ai_next)
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

std::vector<std::string> name_lookup::find(const std::string& host, std::chrono::steady_clock::time_point until) {
  if (is_numeric(host)) return {host};
  if (!pending_ || pending_->host != host) {
    pending_ = std::make_shared<question>();
    pending_->host = host;
    std::thread([asked = pending_] {
      auto addresses = resolve(asked->host);
      const std::lock_guard lock(asked->mutex);
      asked->addresses = std::move(addresses);
      asked->is_answered = true;
      asked->answered.notify_all();
    }).detach();
  }
  std::unique_lock lock(pending_->mutex);
  if (!pending_->answered.wait_until(lock, until, [this] { return pending_->is_answered; })) return {};
  auto addresses = pending_->addresses;
  lock.unlock();
  pending_.reset();  // a name may move: the next connection asks again
  return addresses;
}

}  // namespace troupe::store
