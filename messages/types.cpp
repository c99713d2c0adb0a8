#include "messages/types.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/deserializer.hpp>
#include <caf/error.hpp>
#include <caf/sec.hpp>
#include <caf/serializer.hpp>

#include "messages/base/limits.hpp"
#include "messages/interfaces.hpp"
#include "messages/wire.hpp"

namespace troupe {
namespace {

template <class T>
caf::error write(caf::serializer& sink, const T& value) {
  auto bytes = to_wire(value);
  std::size_t count = bytes.size();
  if (auto error = sink.begin_sequence(count)) return error;
  if (auto error = sink.apply_raw(count, bytes.data())) return error;
  return sink.end_sequence();
}

template <class T>
caf::error read(caf::deserializer& source, T& value) {
  std::size_t count = 0;
  if (auto error = source.begin_sequence(count)) return error;
  // Before allocating: the count is the peer's claim.
  auto* bounded = dynamic_cast<caf::binary_deserializer*>(&source);
  if (count > limits::message_bytes_max || (bounded && count > bounded->remaining())) return caf::sec::end_of_stream;
  std::vector<std::byte> bytes(count);
  if (auto error = source.apply_raw(count, bytes.data())) return error;
  if (auto error = source.end_sequence()) return error;
  if (!from_wire(bytes, value)) return caf::sec::invalid_argument;
  return caf::none;
}

}  // namespace

#define TROUPE_DEFINE_INSPECT(type)                                                           \
  caf::error inspect(caf::serializer& sink, type& value) { return write(sink, value); }       \
  caf::error inspect(caf::deserializer& source, type& value) { return read(source, value); }
TROUPE_MESSAGE_TYPES(TROUPE_DEFINE_INSPECT)
#undef TROUPE_DEFINE_INSPECT

void register_message_types(caf::actor_system_config& config) {
#define TROUPE_ADD_TYPE(type) config.add_message_type<type>("troupe::" #type);
  TROUPE_MESSAGE_TYPES(TROUPE_ADD_TYPE)
#undef TROUPE_ADD_TYPE
  config.add_message_type<turn_sink_actor>("troupe::turn_sink");
  config.add_message_type<sequence_sink_actor>("troupe::sequence_sink");
  config.add_message_type<session_kin_actor>("troupe::session_kin");
  config.add_message_type<session_actor>("troupe::session");
  config.add_message_type<session_directory_actor>("troupe::session_directory");
  config.add_message_type<shard_sink_actor>("troupe::shard_sink");
  config.add_message_type<worker_actor>("troupe::worker");
  config.add_message_type<tier_actor>("troupe::tier");
}

}  // namespace troupe
