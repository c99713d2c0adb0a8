// Bytes as they come from a socket, through a real connection and all routes, before actors that answer at once. Byte 0: what the actors
// do, and whether keys are asked for; byte 1: how the bytes are cut; then the bytes. What holds: whatever comes, answers are HTTP, the
// statuses do not depend on the cuts, and with the client the connection and its turns are gone.
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/connection.hpp"
#include "gateway/response_store.hpp"
#include "test/fuzz/fuzz_input.hpp"
#include "test/fuzz/gateway_stage.hpp"

namespace {

using namespace troupe;
using fuzz::demand;
namespace asio = boost::asio;

gateway::gateway_options options_of(std::uint8_t flags) {
  auto options = fuzz::stage_options();
  if ((flags & 64) != 0) {
    gateway::caller who;
    who.tenant = "acme";
    who.is_admin = false;
    options.keys = gateway::key_ring({{gateway::hash_of_key("secret"), who}});
    options.tenants.push_back({.name = "acme"});
  }
  return options;
}

class conversation {
 public:
  explicit conversation(std::uint8_t flags) : context_(std::make_shared<gateway::connection_context>(options_of(flags))) {
    context_->bound = {"127.0.0.1", true};
    context_->make_link = fuzz::scripted_links(static_cast<fuzz::turn_play>(flags % fuzz::turn_plays));
    context_->io = io_;
    context_->turns = std::make_shared<gateway::turn_registry>(8, 1 << 20);
    if (!context_->options.tenants.empty()) context_->quotas = std::make_shared<gateway::tenant_quotas>(context_->options.tenants);
    demand(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_) == 0, "there is a pair of sockets");
    const auto where = asio::make_strand(*io_);
    gateway::connection_events events{[](const std::string&) { return true; }, [this] { ++closed_; }};
    auto made = gateway::make_connection(asio::ip::tcp::socket(where, asio::ip::tcp::v4(), ends_[0]), where, context_, std::move(events));
    made->start();
    handle_ = made;
  }

  void say(std::string_view bytes) {
    while (!bytes.empty() && closed_ == 0) {
      settle();
      const auto sent = ::send(ends_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // it reads no more: a turn is running, or it has closed
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    settle();
  }

  /// Everything that was answered.
  std::string leave() {
    ::shutdown(ends_[1], SHUT_WR);
    settle();
    ::close(ends_[1]);
    run();
    if (const auto left = handle_.lock(); left && closed_ == 0) left->cut();
    context_->turns->stop();
    run();
    demand(closed_ == 1, "a connection closes once");
    demand(handle_.expired(), "a connection whose client is gone is gone");
    demand(context_->uploads.total() == 0, "bodies that are being read are counted to the end");
    return std::move(heard_);
  }

 private:
  void run() {
    io_->restart();
    while (io_->poll() > 0) {
    }
  }
  void settle() {
    for (ssize_t bytes = 1; bytes > 0;) {
      run();
      char piece[16 << 10];
      while ((bytes = ::recv(ends_[1], piece, sizeof piece, 0)) > 0) {
        heard_.append(piece, static_cast<std::size_t>(bytes));
        run();
      }
    }
  }

  gateway::io_context_ptr io_ = std::make_shared<asio::io_context>(1);
  std::shared_ptr<gateway::connection_context> context_;
  std::weak_ptr<gateway::connection_handle> handle_;
  int ends_[2] = {-1, -1};
  int closed_ = 0;
  std::string heard_;
};

/// Of every answer but the interim ones.
std::string statuses_of(std::string_view heard) {
  constexpr std::string_view begin = "HTTP/1.1 ";
  std::string statuses;
  for (auto at = heard.find(begin); at != std::string_view::npos; at = heard.find(begin, at + 1))
    if (const auto status = heard.substr(at + begin.size(), 3); status != "100") statuses.append(status).append(1, ' ');
  return statuses;
}

std::string converse(std::uint8_t flags, const std::vector<std::string_view>& portions) {
  conversation talk(flags);
  for (const auto portion : portions) talk.say(portion);
  const auto heard = talk.leave();
  demand(heard.empty() || heard.starts_with("HTTP/1.1 "), "an answer is HTTP", heard);
  return statuses_of(heard);
}

/// Whether bytes that are no request are known as such before the client leaves depends on how many of them Beast has seen together.
bool are_alike(const std::string& whole, const std::string& cut) {
  return whole == cut || whole == cut + "400 " || cut == whole + "400 ";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input_reader input(data, size);
  const auto flags = input.byte(), seed = input.byte();
  const auto whole = converse(flags, {input.rest()});
  const auto cut = converse(flags, fuzz::portions_of(input.rest(), seed | 2U));  // no single bytes: each is a turn of the loop
  demand(are_alike(whole, cut), "statuses do not depend on the cuts", whole + "\n" + cut);
  return 0;
}
