// A binary heap of numbered items whose keys may change: the least key first. Each item knows its place, so that a change costs a few
// swaps and there are no stale entries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace troupe::core {

template <class Key>
class ranked_heap {
 public:
  [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] std::uint32_t first() const { return heap_.front(); }
  [[nodiscard]] const Key& key(std::uint32_t item) const { return keys_[item]; }
  [[nodiscard]] bool contains(std::uint32_t item) const { return item < places_.size() && places_[item] != nowhere; }

  /// Adds the item, or changes its key.
  void put(std::uint32_t item, const Key& key) {
    if (item >= places_.size()) {
      places_.resize(std::size_t{item} + 1, nowhere);
      keys_.resize(std::size_t{item} + 1);
    }
    keys_[item] = key;
    if (places_[item] == nowhere) {
      places_[item] = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back(item);
    }
    sink(rise(places_[item]));
  }

  void erase(std::uint32_t item) {
    if (!contains(item)) return;
    const std::uint32_t hole = places_[item];
    places_[item] = nowhere;
    const std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (last == item) return;
    heap_[hole] = last;
    places_[last] = hole;
    sink(rise(hole));
  }

  /// Visits items, the least key first, while `visit(item)` is true. n visits cost n log n.
  template <class Visit>
  void visit_in_order(Visit visit) const {
    const auto is_after = [this](std::uint32_t a, std::uint32_t b) { return is_before(b, a); };
    std::vector<std::uint32_t> next;  // a heap of places in this one
    const auto add = [&](std::uint32_t place) {
      if (place >= heap_.size()) return;
      next.push_back(place);
      std::push_heap(next.begin(), next.end(), is_after);
    };
    for (add(0); !next.empty();) {
      std::pop_heap(next.begin(), next.end(), is_after);
      const std::uint32_t at = next.back();
      next.pop_back();
      if (!visit(heap_[at])) return;
      add(2 * at + 1);
      add(2 * at + 2);
    }
  }

 private:
  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

  bool is_before(std::uint32_t a, std::uint32_t b) const { return keys_[heap_[a]] < keys_[heap_[b]]; }
  void exchange(std::uint32_t a, std::uint32_t b) {
    std::swap(heap_[a], heap_[b]);
    places_[heap_[a]] = a;
    places_[heap_[b]] = b;
  }
  std::uint32_t rise(std::uint32_t at) {
    for (; at > 0 && is_before(at, (at - 1) / 2); at = (at - 1) / 2) exchange(at, (at - 1) / 2);
    return at;
  }
  void sink(std::uint32_t at) {
    for (std::uint32_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
      if (child + 1 < heap_.size() && is_before(child + 1, child)) ++child;
      if (!is_before(child, at)) return;
      exchange(at, child);
      at = child;
    }
  }

  std::vector<std::uint32_t> heap_, places_;
  std::vector<Key> keys_;
};

}  // namespace troupe::core
