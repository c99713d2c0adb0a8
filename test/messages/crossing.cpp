// Every message type through the socket, and what a peer that sends nonsense can achieve: an error at its own end.
#include <caf/binary_serializer.hpp>
#include <caf/event_based_actor.hpp>

#include <atomic>

#include "messages/wire.hpp"
#include "test/messages/samples.hpp"
#include "test/messages/two_systems.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

caf::behavior echo(caf::event_based_actor* self) {
  self->set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> { return caf::sec::unexpected_message; });
  caf::message_handler all;
#define TROUPE_ECHO(type) all = all.or_else([](const type& value) { return value; });
  TROUPE_MESSAGE_TYPES(TROUPE_ECHO)
#undef TROUPE_ECHO
  return all;
}

}  // namespace

namespace troupe {

/// Carries the wire name of T and whatever bytes a test likes.
template <class T>
struct forged {
  std::vector<std::byte> bytes;
  std::size_t claimed = 0;
  explicit forged(std::vector<std::byte> content = {}) : bytes(std::move(content)), claimed(bytes.size()) {}
};
template <class T>
caf::error inspect(caf::serializer& sink, forged<T>& value) {
  if (auto error = sink.begin_sequence(value.claimed)) return error;
  return sink.apply_raw(value.bytes.size(), value.bytes.data());
}
template <class T>
caf::error inspect(caf::deserializer&, forged<T>&) {
  return caf::sec::invalid_argument;
}
template <class T>
std::string to_string(const forged<T>&) {
  return "forged";
}

}  // namespace troupe

namespace {

struct forging_config : bare_config {
  forging_config() {
    add_message_type<forged<turn_request>>("troupe::turn_request");
    add_message_type<forged<session_record>>("troupe::session_record");
    add_message_type<forged<block_events>>("troupe::block_events");
    add_message_type<forged<turn_cancel>>("troupe::turn_cancel");
  }
};

struct tally {
  std::atomic<int> good = 0, other = 0;
};

/// Counts what reaches a handler, and whether it is what was sent.
caf::behavior victim(caf::event_based_actor* self, tally* counts) {
  self->set_default_handler(
      [counts](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> { return caf::sec::unexpected_message; });
  const auto count = [counts]<class T>(const T& value) {
    ++(value == samples::make<T>() ? counts->good : counts->other);
    return request_id{1};
  };
  return {
      [count](const turn_request& value) { return count(value); },
      [count](const session_record& value) { return count(value); },
      [count](const block_events& value) { return count(value); },
      [count](const turn_cancel& value) { return count(value); },
  };
}

template <class T>
bool is_refused(caf::scoped_actor& self, const caf::actor& peer, forged<T> message) {
  bool refused = false;
  self->request(peer, patience, std::move(message))
      .receive([](const request_id&) {}, [&](caf::error& error) { refused = error != caf::sec::request_timeout; });
  return refused;
}

template <class T>
void check_forgeries(caf::scoped_actor& self, const caf::actor& peer) {
  const auto wire = to_wire(samples::make<T>());
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, std::size_t{16}, wire.size() / 2, wire.size() - 8, wire.size() - 1}) {
    CAPTURE(size);
    CHECK(is_refused(self, peer, forged<T>({wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size)})));
  }
  CHECK(is_refused(self, peer, forged<T>(to_wire(samples::make<session_gone>()))));
  forged<T> boastful(wire);
  boastful.claimed = std::size_t{1} << 31;
  CHECK(is_refused(self, peer, std::move(boastful)));
}

}  // namespace

TEST_CASE("every message of every interface crosses between two actor systems") {
  alarm_guard guard;
  side<> server, client;
  const auto port = server.publish(server.keep(server.system.spawn(echo)));
  const auto peer = client.reach<caf::actor>(port);
  caf::scoped_actor self{client.system};
#define TROUPE_CROSS(type)                                                        \
  {                                                                               \
    CAPTURE(#type);                                                               \
    CHECK(ask<type>(self, peer, samples::make<type>()) == samples::make<type>()); \
    CHECK(ask<type>(self, peer, type{}) == type{});                               \
  }
  TROUPE_MESSAGE_TYPES(TROUPE_CROSS)
#undef TROUPE_CROSS
}

TEST_CASE("a truncated or foreign payload reaches no handler, and the requester gets an error") {
  alarm_guard guard;
  tally counts;
  side<> server;
  side<forging_config> client;
  const auto port = server.publish(server.keep(server.system.spawn(victim, &counts)));
  const auto peer = client.reach<caf::actor>(port);
  caf::scoped_actor self{client.system};
  check_forgeries<turn_request>(self, peer);
  check_forgeries<session_record>(self, peer);
  check_forgeries<block_events>(self, peer);
  check_forgeries<turn_cancel>(self, peer);
  CHECK(counts.good == 0);
  CHECK(counts.other == 0);
  // The link still works: true bytes under the same name arrive.
  self->send(peer, forged<session_record>(to_wire(samples::make<session_record>())));
  CHECK(is_refused(self, peer, forged<turn_cancel>(std::vector<std::byte>(24))));
  CHECK(counts.good == 1);
  CHECK(counts.other == 0);
}
