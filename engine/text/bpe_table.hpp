// Open-addressed tables keyed by a pair of token ids: one cache line per look-up where std::unordered_map takes two or three.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "messages/base/ids.hpp"

namespace troupe::text {

struct merge_rule {
  std::uint32_t rank = 0;  ///< lower merges first
  token_id product = 0;
};

template <class Value>
class pair_map {
 public:
  /// Replaces the value of an equal pair.
  void set(token_id left, token_id right, Value value) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    auto& slot = slots_[find_slot(key_of(left, right))];
    if (slot.key == empty) ++count_;
    slot = {key_of(left, right), value};
  }
  [[nodiscard]] const Value* find(token_id left, token_id right) const {
    if (slots_.empty()) return nullptr;
    const auto& slot = slots_[find_slot(key_of(left, right))];
    return slot.key == empty ? nullptr : &slot.value;
  }
  /// `visit(left, right, value)`, in no order.
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& slot : slots_) {
      if (slot.key != empty) visit(static_cast<token_id>(slot.key >> 32), static_cast<token_id>(slot.key & 0xFFFFFFFF), slot.value);
    }
  }

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};  // no id is negative
  struct slot {
    std::uint64_t key = empty;
    Value value{};
  };

  static std::uint64_t key_of(token_id left, token_id right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t find_slot(std::uint64_t key) const {
    const auto mask = slots_.size() - 1;
    // Fibonacci hashing: the high bits of the product mix both ids.
    auto at = static_cast<std::size_t>((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (slots_[at].key != empty && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const auto& each : old) {
      if (each.key != empty) slots_[find_slot(each.key)] = each;
    }
  }

  std::vector<slot> slots_;
  std::size_t count_ = 0;
};

using merge_table = pair_map<merge_rule>;
struct nothing {};
using pair_set = pair_map<nothing>;

}  // namespace troupe::text
