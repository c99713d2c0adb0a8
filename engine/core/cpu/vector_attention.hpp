// Attention over a `Simd` (see vector_product.hpp) for all query heads that share one KV head. Each part of the sequence is widened
// once, K transposed, V as it lies; then scores and sums are products like any other, many rows at a time. A row that ends inside a
// part never touches what lies behind its end.
//
// [0, begin) merged into `merged_`. [begin, begin + 128) the current part, in `keys_` and `values_`. [end, ...) not read, perhaps not
// written.
#pragma once

#include "engine/core/cpu/vector_math.hpp"
#include "engine/core/cpu/vector_product.hpp"

namespace troupe::core {

template <class Simd, class Kv>
class vector_attention {
 public:
  static void attend(const attention_args& args) {
    const auto heads_max = attention_rows / args.tokens;
    for (std::uint32_t head = 0; head < args.group; head += heads_max) {
      vector_attention(args, head, args.group - head < heads_max ? args.group - head : heads_max).run();
    }
  }

 private:
  using vector = typename Simd::vector;
  using math = vector_math<Simd>;
  using product = vector_product<Simd, typename Simd::stored_f32>;
  using element = typename Kv::element;
  static constexpr auto width_max = model_bounds::head_dim;
  static_assert(width_max % panel_width == 0 && attention_split % panel_width == 0);

  vector_attention(const attention_args& args, std::uint32_t head, std::uint32_t heads)
      : args_(args), head_(head), heads_(heads), width_((args.head_dim + panel_width - 1) / panel_width * panel_width) {}

  void run() noexcept {
    const auto last = args_.position + args_.tokens - 1;
    for (std::uint32_t t = 0; t < args_.tokens; ++t) {
      for (std::uint32_t h = 0; h < heads_; ++h) {
        const float* query = args_.query + t * args_.query_stride + std::size_t{head_ + h} * args_.head_dim;
        float* into = queries_ + std::size_t{t * heads_ + h} * width_;
        math::for_parts(args_.head_dim, [&](auto i, auto count) { Simd::store(into + i, math::read(query + i, count)); });
      }
    }
    for (std::uint32_t begin = 0; begin <= last; begin += attention_split) {
      stage(begin, last + 1 - begin < attention_split ? last + 1 - begin : attention_split);
      std::uint32_t t = args_.position >= begin ? 0 : begin - args_.position;
      // Tokens that end inside this part, one by one; then those that see all of it.
      for (; t < args_.tokens && args_.position + t + 1 < begin + attention_split; ++t) reduce(begin, t, 1, args_.position + t + 1 - begin);
      if (t < args_.tokens) reduce(begin, t, args_.tokens - t, attention_split);
    }
    write();
  }

  /// Widens K and V of `count` positions from `begin`; what is behind them is zero up to whole vectors of positions.
  void stage(std::uint32_t begin, std::uint32_t count) noexcept {
    for (std::uint32_t p = 0; p < count; p += Simd::width) {
      const element* keys[Simd::width];
      for (std::uint32_t i = 0; i < Simd::width; ++i) {
        keys[i] = p + i < count ? row_of(args_.keys, begin + p + i) : nullptr;
        if (p + i < count) stage_value(row_of(args_.values, begin + p + i), values_ + (p + i) * width_);
      }
      math::for_parts(args_.head_dim, [&](auto d, auto dims) {
        vector block[Simd::width];
        for (std::uint32_t i = 0; i < Simd::width; ++i) block[i] = keys[i] == nullptr ? Simd::zero() : Kv::load(keys[i] + d, dims);
        Simd::transpose(block);
        for (std::uint32_t i = 0; i < dims; ++i) Simd::store(keys_ + (d + i) * attention_split + p, block[i]);
      });
    }
  }

  void stage_value(const element* value, float* into) const noexcept {
    math::for_parts(args_.head_dim, [&](auto d, auto dims) { Simd::store(into + d, Kv::load(value + d, dims)); });
  }

  [[nodiscard]] const element* row_of(const void* base, std::uint32_t position) const noexcept {
    const std::size_t block = args_.table[position / args_.block_tokens];
    return static_cast<const element*>(base) + block * args_.block_stride + std::size_t{position % args_.block_tokens} * args_.head_dim;
  }

  /// The first `count` positions of the part for the heads of some tokens.
  void reduce(std::uint32_t begin, std::uint32_t token, std::uint32_t tokens, std::uint32_t count) noexcept {
    const auto end = (token + tokens) * heads_;
    const auto columns = (count + panel_width - 1) / panel_width * panel_width;
    for (auto row = token * heads_; row < end; row += Simd::tile_rows) {
      const auto rows = end - row < Simd::tile_rows ? end - row : Simd::tile_rows;
      const auto multiply = product::for_rows(rows);
      multiply({queries_ + row * width_, width_, args_.head_dim, keys_, attention_split, scores_, attention_split, columns});
      float largest[Simd::tile_rows], total[Simd::tile_rows];
      for (std::uint32_t r = 0; r < rows; ++r) softmax(scores_ + r * attention_split, count, largest[r], total[r]);
      float* sums = begin == 0 ? merged_ + row * width_ : next_;
      multiply({scores_, attention_split, count, values_, width_, sums, width_, width_});
      for (std::uint32_t r = 0; r < rows; ++r) {
        if (begin == 0) {
          largest_[row + r] = largest[r];
          total_[row + r] = total[r];
        } else {
          merge(row + r, largest[r], total[r], next_ + r * width_);
        }
      }
    }
  }

  /// Scores become e^(score - largest).
  void softmax(float* scores, std::uint32_t count, float& largest, float& total) const noexcept {
    const auto scale = Simd::all(1.0F / Simd::square_root(static_cast<float>(args_.head_dim)));
    auto most = Simd::all(-__builtin_inff());
    math::for_parts(count, [&](auto i, auto size) {
      const auto score = Simd::mul(Simd::load(scores + i), scale);
      Simd::store(scores + i, score);
      most = Simd::max(most, size == Simd::width ? score : Simd::keep(score, size, -__builtin_inff()));
    });
    largest = Simd::largest(most);
    auto sum = Simd::zero();
    math::for_parts(count, [&](auto i, auto size) {
      const auto weight = math::exp(Simd::sub(Simd::load(scores + i), Simd::all(largest)));
      Simd::store(scores + i, weight);
      sum = Simd::add(sum, size == Simd::width ? weight : Simd::keep(weight, size, 0.0F));
    });
    total = Simd::sum(sum);
  }

  void merge(std::uint32_t row, float largest, float total, const float* sums) noexcept {
    const float most = largest_[row] > largest ? largest_[row] : largest;
    const float before = Simd::first(math::exp(Simd::all(largest_[row] - most))), after = Simd::first(math::exp(Simd::all(largest - most)));
    largest_[row] = most;
    total_[row] = total_[row] * before + total * after;
    float* into = merged_ + row * width_;
    for (std::uint32_t d = 0; d < width_; d += Simd::width) {
      const auto next = Simd::mul(Simd::load(sums + d), Simd::all(after));
      Simd::store(into + d, Simd::fma(Simd::load(into + d), Simd::all(before), next));
    }
  }

  void write() noexcept {
    for (std::uint32_t row = 0; row < args_.tokens * heads_; ++row) {
      float* out = args_.out + row / heads_ * args_.out_stride + std::size_t{head_ + row % heads_} * args_.head_dim;
      const float* sums = merged_ + row * width_;
      const auto total = Simd::all(total_[row]);
      math::for_parts(args_.head_dim, [&](auto i, auto count) { math::write(out + i, Simd::div(Simd::load(sums + i), total), count); });
    }
  }

  const attention_args& args_;
  std::uint32_t head_, heads_;
  std::uint32_t width_;  ///< head_dim in whole panels: the distance of rows below
  float largest_[attention_rows], total_[attention_rows];
  // On the stack of a compute thread: 700 KiB at the largest head_dim, of which a head of 128 touches a quarter.
  alignas(64) float keys_[std::size_t{width_max} * attention_split];
  alignas(64) float values_[std::size_t{width_max} * attention_split];
  alignas(64) float queries_[std::size_t{width_max} * attention_rows];
  alignas(64) float merged_[std::size_t{width_max} * attention_rows];
  alignas(64) float next_[std::size_t{width_max} * Simd::tile_rows];
  alignas(64) float scores_[std::size_t{attention_split} * Simd::tile_rows];
};

}  // namespace troupe::core
