// Memory as direct I/O wants it: begin and size are multiples of a page. A pool keeps a few that were used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace troupe::store {

/// 4096: the largest logical block size in use, so right for every disk.
inline constexpr std::size_t page_bytes = 4096;
constexpr std::uint64_t whole_pages(std::uint64_t bytes) { return (bytes + page_bytes - 1) / page_bytes * page_bytes; }

class aligned_buffer {
 public:
  aligned_buffer() = default;
  explicit aligned_buffer(std::size_t bytes) : size_(whole_pages(bytes)) {
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(page_bytes, size_)));
    if (!data_) throw std::bad_alloc();
  }
  [[nodiscard]] std::span<std::byte> bytes() const { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  struct free_memory {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, free_memory> data_;
  std::size_t size_ = 0;
};

/// Hands out buffers of at least the wanted size (and not many times that) and keeps up to `kept_bytes_max` of those that came back.
class buffer_pool {
 public:
  explicit buffer_pool(std::size_t kept_bytes_max) : kept_bytes_max_(kept_bytes_max) {}

  aligned_buffer take(std::size_t bytes) {
    ++lent_;
    const auto fits = std::find_if(kept_.begin(), kept_.end(), [&](const aligned_buffer& kept) {
      return kept.size() >= bytes && kept.size() / 4 < whole_pages(bytes);
    });
    if (fits == kept_.end()) return aligned_buffer(bytes);
    auto buffer = std::move(*fits);
    kept_.erase(fits);
    kept_bytes_ -= buffer.size();
    return buffer;
  }
  /// An empty buffer was never lent.
  void give_back(aligned_buffer buffer) {
    if (!buffer) return;
    --lent_;
    if (kept_bytes_ + buffer.size() > kept_bytes_max_) return;
    kept_bytes_ += buffer.size();
    const auto at = std::find_if(kept_.begin(), kept_.end(), [&](const aligned_buffer& kept) { return kept.size() >= buffer.size(); });
    kept_.insert(at, std::move(buffer));
  }
  [[nodiscard]] std::size_t lent() const { return lent_; }

 private:
  std::vector<aligned_buffer> kept_;  ///< ascending by size
  std::size_t kept_bytes_max_, kept_bytes_ = 0, lent_ = 0;
};

}  // namespace troupe::store
