// A connection's link to the actors by itself.
#include "gateway/actor_calls.hpp"

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <future>
#include <thread>

#include "test/support/fake_node.hpp"

using namespace troupe;

TEST_CASE("a session is ended over a link that has not asked for the directory before") {
  test::fake_node node;
  const auto io = std::make_shared<boost::asio::io_context>();
  auto guard = boost::asio::make_work_guard(*io);
  std::thread running([&] { io->run(); });
  {
    const auto where = boost::asio::make_strand(*io);
    const std::unique_ptr<gateway::actor_link> link = node.links()(where, io);
    std::promise<void> told;
    boost::asio::post(where, [&] {
      link->end_session({"displaced"});
      told.set_value();
    });
    told.get_future().wait();
    const auto verb = node.verb(1);
    CHECK(verb.what == verb_kind::die);
    CHECK(verb.session.value == "displaced");
    CHECK(node.directories_asked() == 1);
  }
  guard.reset();
  io->stop();
  running.join();
}
