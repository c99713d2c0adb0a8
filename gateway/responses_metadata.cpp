// `metadata` is repeated and stored as it came, so it is held to what the API publishes: some pairs of strings.
#include <algorithm>
#include <boost/json/value.hpp>

#include "gateway/responses_request.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

/// Characters, not bytes.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char each) { return (static_cast<unsigned char>(each) & 0xC0) != 0x80; }));
}

std::string at_most(std::size_t count, std::string_view what) { return "at most " + std::to_string(count) + " " + std::string(what); }

}  // namespace

void check_metadata(const json_reader& body) {
  const auto* metadata = body.object("metadata");
  if (metadata == nullptr) return;
  if (metadata->size() > limits::metadata_pairs_max)
    return body.refuse("metadata", "must have " + at_most(limits::metadata_pairs_max, "pairs"));
  const json_reader pairs(*metadata, "metadata", body.failed());
  for (const auto& [key, value] : *metadata) {
    // The key would be most of the message.
    if (length_of(key) > limits::metadata_key_chars_max)
      return body.refuse("metadata", "must have keys of " + at_most(limits::metadata_key_chars_max, "characters"));
    const auto* text = value.if_string();
    if (text == nullptr) return pairs.refuse(key, "must be a string");
    if (length_of(*text) > limits::metadata_value_chars_max)
      return pairs.refuse(key, "must have " + at_most(limits::metadata_value_chars_max, "characters"));
  }
}

}  // namespace troupe::gateway
