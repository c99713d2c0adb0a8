// The responses that can be had, by tenant and id, in memory. Bounded by number, bytes and age: the oldest is forgotten. Bytes of responses
// that only later ones still hold count too.
#pragma once

#include <atomic>
#include <list>
#include <unordered_map>

#include "engine/store/stored_response.hpp"

namespace troupe::store {

struct response_bounds {
  std::size_t count_max = 0;
  std::size_t bytes_max = 0;
  std::int64_t age_s_max = 0;
};

class response_table {
 public:
  explicit response_table(response_bounds bounds) : bounds_(bounds) {}

  /// Counts its bytes for as long as anybody holds it.
  response_ptr adopt(stored_response response) const;
  /// As the newest; it takes the place of one with the same name. What is too old or too much then is forgotten.
  void insert(response_ptr response, std::int64_t now_s);
  /// Null: unknown, removed, or too old.
  [[nodiscard]] response_ptr find(std::string_view tenant, std::string_view id, std::int64_t now_s) const;
  bool remove(std::string_view tenant, std::string_view id);

  [[nodiscard]] std::vector<response_ptr> all() const;  ///< the oldest first
  [[nodiscard]] std::size_t count() const noexcept { return by_key_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return *bytes_; }

 private:
  using entries = std::list<response_ptr>;
  [[nodiscard]] bool is_too_old(const stored_response& response, std::int64_t now_s) const;
  [[nodiscard]] bool is_over(std::int64_t now_s) const;

  response_bounds bounds_;
  std::shared_ptr<std::atomic<std::size_t>> bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  entries entries_;  ///< the oldest in front
  std::unordered_map<std::string, entries::iterator> by_key_;
};

}  // namespace troupe::store
