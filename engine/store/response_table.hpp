// The responses that can be had, by tenant and id, in memory. Bounded by age, number and bytes. Above the number the tenant that has most
// forgets its oldest; above the bytes the one that has most of them forgets the ends of its chains, that of the chain it used longest ago
// first. Bytes of responses that only later ones still hold count too.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "engine/core/fair_budget.hpp"
#include "engine/core/fair_table.hpp"
#include "engine/store/response_chains.hpp"

namespace troupe::store {

struct response_bounds {
  std::size_t count_max = 0;
  std::size_t bytes_max = 0;
  std::int64_t age_s_max = 0;
};

class response_table {
 public:
  explicit response_table(response_bounds bounds);

  /// Counts its bytes as held for as long as anybody holds it, the table or a turn that goes on from it.
  response_ptr adopt(stored_response response) const;
  /// False while turns and this table hold twice what the table may, and the tenant more than its share of that: nothing more is to be kept.
  [[nodiscard]] bool has_room_for(std::string_view tenant) const { return held_->is_within(tenant); }
  /// As the newest; it takes the place of one with the same name. What is too old or too much then is forgotten: of a chain that alone is
  /// too much, its new end.
  void insert(response_ptr response, std::int64_t now_s);
  /// Null: unknown, removed, or too old.
  [[nodiscard]] response_ptr find(std::string_view tenant, std::string_view id, std::int64_t now_s) const;
  bool remove(std::string_view tenant, std::string_view id);

  [[nodiscard]] std::vector<response_ptr> all() const;  ///< the oldest first
  [[nodiscard]] std::size_t count() const noexcept { return by_key_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return chains_.bytes().total(); }
  [[nodiscard]] std::size_t bytes_held() const { return held_->total(); }  ///< by turns too

 private:
  using order = core::fair_table<std::uint64_t>;
  struct entry {
    response_ptr response;
    order::handle place;
  };
  [[nodiscard]] bool is_too_old(const stored_response& response, std::int64_t now_s) const;
  void forget(std::uint64_t number);
  void forget_too_old(std::int64_t now_s);
  void forget_too_many(const std::string& tenant);
  void forget_too_much(const std::string& tenant);

  response_bounds bounds_;
  std::shared_ptr<core::fair_budget> held_;  // outlives the table with what turns hold
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, entry> entries_;  ///< numbered as they came
  std::unordered_map<std::string, std::uint64_t> by_key_;
  order order_;  ///< by tenant
  response_chains chains_;
};

}  // namespace troupe::store
