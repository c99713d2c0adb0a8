// A hash table from 64-bit keys to 32-bit indices for the hot paths of the pool, the scheduler and the prefix index.
// Open addressing with backward-shift deletion: no allocation per entry, no tombstones. Equal keys may be stored more than once:
// keys are hashes of something, and whoever asks compares what the index points at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace troupe::core {

class flat_table {
 public:
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  /// Holds `expected` entries before it grows.
  explicit flat_table(std::size_t expected = 0) {
    while (capacity() * 2 < expected * 3) ++bits_;
    slots_.resize(capacity());
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// The first value of `key` that `accept` takes, or `none`.
  template <class Accept>
  [[nodiscard]] std::uint32_t find_if(std::uint64_t key, Accept accept) const {
    for (std::size_t at = home(key); slots_[at].value != none; at = next(at)) {
      if (slots_[at].key == key && accept(slots_[at].value)) return slots_[at].value;
    }
    return none;
  }

  [[nodiscard]] std::uint32_t find(std::uint64_t key) const {
    return find_if(key, [](std::uint32_t) { return true; });
  }

  void insert(std::uint64_t key, std::uint32_t value) {
    if ((size_ + 1) * 3 > capacity() * 2) grow();  // 2/3: linear probing stays at about two probes for a hit
    place(key, value);
    ++size_;
  }

  /// Removes one entry (key, value); false when there is none.
  bool erase(std::uint64_t key, std::uint32_t value) {
    std::size_t hole = home(key);
    while (slots_[hole].value != none && (slots_[hole].key != key || slots_[hole].value != value)) hole = next(hole);
    if (slots_[hole].value == none) return false;
    for (std::size_t at = next(hole); slots_[at].value != none; at = next(at)) {
      const std::size_t wish = home(slots_[at].key);
      if (((at - wish) & (capacity() - 1)) < ((at - hole) & (capacity() - 1))) continue;  // it would move before its home
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].value = none;
    --size_;
    return true;
  }

 private:
  struct slot {
    std::uint64_t key = 0;
    std::uint32_t value = none;
  };

  [[nodiscard]] std::size_t capacity() const noexcept { return std::size_t{1} << bits_; }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (capacity() - 1); }
  [[nodiscard]] std::size_t home(std::uint64_t key) const noexcept { return (key * 0x9E3779B97F4A7C15ULL) >> (64 - bits_); }

  void place(std::uint64_t key, std::uint32_t value) {
    std::size_t at = home(key);
    while (slots_[at].value != none) at = next(at);
    slots_[at] = {key, value};
  }

  void grow() {
    ++bits_;
    std::vector<slot> old = std::exchange(slots_, std::vector<slot>(capacity()));
    for (const slot& entry : old) {
      if (entry.value != none) place(entry.key, entry.value);
    }
  }

  unsigned bits_ = 4;
  std::size_t size_ = 0;
  std::vector<slot> slots_;
};

}  // namespace troupe::core
