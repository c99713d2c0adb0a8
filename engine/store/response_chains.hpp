// What the responses that can be had hold in memory, with all that they go on from: by tenant in bytes, each once, and which of them are
// ends, that is, what nothing kept goes on from. Only to forget an end makes room. Numbers say which came first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/core/fair_shares.hpp"
#include "engine/store/stored_response.hpp"

namespace troupe::store {

class response_chains {
 public:
  /// It can be had from now on; `number` is its own and not 0. It stays where it is until it is hidden.
  void show(const stored_response& response, std::uint64_t number);
  /// It can be had no more; it still counts while a later one that can be had goes on from it.
  void hide(const stored_response& response);

  [[nodiscard]] const core::fair_shares& bytes() const noexcept { return bytes_; }
  /// Of the ends of a tenant, the number of the one that came first.
  [[nodiscard]] std::optional<std::uint64_t> oldest_end(std::string_view tenant) const;

 private:
  struct link {
    std::uint64_t number = 0;   ///< 0: it cannot be had
    std::size_t followers = 0;  ///< that count
  };
  void count_before(const stored_response& response);
  void release(const stored_response& response);

  std::unordered_map<const stored_response*, link> links_;  ///< of all that count
  std::map<std::string, std::set<std::uint64_t>, std::less<>> ends_;
  core::fair_shares bytes_;
};

}  // namespace troupe::store
