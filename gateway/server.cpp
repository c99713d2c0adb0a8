#include "gateway/server.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <spdlog/spdlog.h>
#include <thread>

#include "gateway/connection.hpp"
#include "gateway/open_connections.hpp"

namespace troupe::gateway {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// After accept failed, as it does when the process has no file descriptors left: another try at once would spin.
constexpr auto accept_pause = std::chrono::milliseconds(50);
/// On threads that others keep busy: how long connections may take to close.
constexpr auto close_wait = std::chrono::seconds(5);

}  // namespace

struct server::state : std::enable_shared_from_this<server::state> {
  std::shared_ptr<connection_context> context;
  io_context_ptr io;
  strand accepting;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::uint16_t port = 0;
  std::vector<std::thread> threads;

  open_connections open;
  std::uint64_t next_number = 0;
  bool stopped = false;

  state(io_context_ptr made, gateway_options options)
      : context(std::make_shared<connection_context>(std::move(options))), io(std::move(made)), accepting(asio::make_strand(*io)), acceptor(accepting), pause(accepting), work(asio::make_work_guard(*io)), open(context->options.connections_max) {}

  void accept() {
    auto where = asio::make_strand(*io);
    acceptor.async_accept(where, [self = shared_from_this(), where](error_code error, tcp::socket socket) {
      if (self->context->draining) return;
      if (!error) {
        self->admit(std::move(socket), where);
        return self->accept();
      }
      self->pause.expires_after(accept_pause);
      self->pause.async_wait([self](error_code stopped) {
        if (!stopped && !self->context->draining) self->accept();
      });
    });
  }

  void admit(tcp::socket socket, const strand& where) {
    const auto number = next_number++;
    // Weak: the handlers lie in the connection, which lies in our table.
    connection_events events;
    events.on_admitted = [weak = weak_from_this(), number](const std::string& tenant) {
      const auto self = weak.lock();
      return !self || self->open.admit(number, tenant);
    };
    events.on_closed = [weak = weak_from_this(), number] {
      if (const auto self = weak.lock()) self->open.erase(number);
    };
    const auto made = make_connection(std::move(socket), where, context, std::move(events));
    open.add(number, made);
    made->start();
  }

  expected<std::uint16_t> listen() {
    error_code error;
    const auto address = asio::ip::make_address(context->options.address, error);
    if (error) return failure{errc::invalid_request, "'" + context->options.address + "' is no address", "address"};
    if (!address.is_loopback() && context->options.keys.empty())
      return failure{errc::invalid_request, "'" + context->options.address + "' is not a loopback address, and there are no keys",
                     "address"};
    const tcp::endpoint endpoint(address, context->options.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failure{errc::io_failed, "cannot listen on " + context->options.address + ": " + error.message(), "port"};
    context->bound = {address.to_string(), address.is_loopback()};
    port = acceptor.local_endpoint().port();
    return port;
  }

  void stop_accepting() {
    context->draining = true;
    asio::post(accepting, [self = shared_from_this()] {
      error_code ignored;
      self->acceptor.close(ignored);
      self->pause.cancel();
    });
  }
};

expected<std::unique_ptr<server>> server::start(gateway_options options, actor_link_factory make_link, io_context_ptr shared) {
  const auto threads = shared ? 0 : std::max(options.io_threads, 1U);
  const auto io = shared ? shared : std::make_shared<asio::io_context>(static_cast<int>(threads));
  const auto made = std::make_shared<state>(io, std::move(options));
  made->context->turns =
      std::make_shared<turn_registry>(made->context->options.kept_turns_max, made->context->options.kept_turns_bytes_max);
  if (!made->context->options.tenants.empty()) made->context->quotas = std::make_shared<tenant_quotas>(made->context->options.tenants);
  made->context->make_link = std::move(make_link);
  made->context->io = io;
  if (const auto listening = made->listen(); !listening) return listening.error();
  asio::post(made->accepting, [made] { made->accept(); });
  for (unsigned i = 0; i < threads; ++i) made->threads.emplace_back([io] { io->run(); });
  return std::unique_ptr<server>(new server(made));
}

server::server(std::shared_ptr<state> made) : state_(std::move(made)) {}
server::~server() { stop(); }

std::uint16_t server::port() const noexcept { return state_->port; }

std::size_t server::connections() const {
  return state_->open.size();
}

void server::drain() {
  state_->stop_accepting();
  state_->open.each([](connection_handle& connection) { connection.finish(); });
}

bool server::wait_until_idle(std::chrono::milliseconds within) {
  return state_->open.wait_until_empty(within);
}

void server::stop() {
  if (std::exchange(state_->stopped, true)) return;
  state_->stop_accepting();
  // Behind the closing of the acceptor, so that no connection is admitted after this pass.
  const auto cut = std::make_shared<std::promise<void>>();
  asio::post(state_->accepting, [self = state_, cut] {
    self->open.each([](connection_handle& connection) { connection.cut(); });
    self->context->turns->stop();
    cut->set_value();
  });
  state_->work.reset();
  for (auto& thread : state_->threads) thread.join();
  if (!state_->threads.empty()) return;
  const bool is_cut = cut->get_future().wait_for(close_wait) == std::future_status::ready;
  if (!is_cut || !wait_until_idle(close_wait)) spdlog::warn("connections did not close in time");
}

}  // namespace troupe::gateway
