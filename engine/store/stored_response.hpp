// A response that clients may go on from: its request's items and what was answered. It holds the responses that it goes on from, so each
// item lies here once however long the chain is, and a deleted response lives on unseen for as long as a later one needs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::store {

struct stored_response;
using response_ptr = std::shared_ptr<const stored_response>;

struct stored_response {
  std::string tenant, id;
  std::string session;         ///< that has answered it
  std::int64_t created_s = 0;  ///< Unix time
  std::string input;           ///< JSON array: the items of its own request
  std::string body;            ///< JSON object as the client got it
  response_ptr previous{};

  stored_response() = default;
  stored_response(const stored_response&) = default;
  stored_response& operator=(const stored_response&) = default;
  stored_response(stored_response&&) = default;
  stored_response& operator=(stored_response&&) = default;
  ~stored_response();  ///< a chain of any length ends without recursion

  [[nodiscard]] std::size_t bytes() const noexcept;  ///< without those before it
};

/// One key for a name within its tenant.
std::string response_key(std::string_view tenant, std::string_view id);

/// What a record says of a response. Without body and input it is only a deletion.
struct response_record {
  stored_response response;  ///< its `previous` is not set
  std::string previous_id;
  bool deleted = false;
};

/// The payloads of the journal records of one response, each of at most limits::response_part_bytes and a few words.
std::vector<std::vector<std::byte>> to_records(const stored_response& response, bool deleted);

/// Puts records together again. Of one that was cut off, and of later versions, nothing comes out.
class response_assembler {
 public:
  std::optional<response_record> add(std::span<const std::byte> record);

 private:
  std::vector<std::byte> bytes_;
  std::uint32_t next_ = 0;
};

}  // namespace troupe::store
