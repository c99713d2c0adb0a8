// Every kernel of every table that this machine has: against its scalar twin, and its bits against any way to cut the work.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/core/cpu/kernels.hpp"
#include "engine/core/model/half.hpp"
#include "engine/core/model/packed_matrix.hpp"
#include "test/support/forward_runner.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

std::vector<float> random_floats(test::random_source& random, std::size_t size) {
  std::vector<float> values(size);
  for (auto& value : values) value = random.symmetric();
  return values;
}

/// A matrix [rows][columns] in the packed form of a number type, and its values as that type rounds them.
struct packed {
  packed(test::random_source& random, numeric_type type, std::uint32_t rows, std::uint32_t columns)
      : values(random_floats(random, std::size_t{rows} * columns)), bytes(packed_elements(rows, columns) * bytes_of(type)) {
    for (std::uint32_t n = 0; n < rows; ++n) {
      for (std::uint32_t k = 0; k < columns; ++k) {
        auto& value = values[std::size_t{n} * columns + k];
        const auto at = (std::size_t{n / panel_width} * columns + k) * panel_width;
        if (type == numeric_type::f32) {
          reinterpret_cast<float*>(bytes.data())[at + lane_f32(n)] = value;
        } else {
          const auto half = f32_to_bf16(value);
          reinterpret_cast<std::uint16_t*>(bytes.data())[at + lane_bf16(n)] = half;
          value = bf16_to_f32(half);
        }
      }
    }
    view = {bytes.data(), rows, columns};
  }
  std::vector<float> values;
  std::vector<std::byte> bytes;
  matrix view;
};

/// The largest difference, by the largest wanted value.
double error_of(const std::vector<float>& got, const std::vector<float>& want) {
  REQUIRE(got.size() == want.size());
  double scale = 0, worst = 0;
  for (const auto value : want) scale = std::max(scale, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])));
  return worst == 0 ? 0 : worst / scale;
}

/// Calls f(table, its scalar twin).
template <class Function>
void for_tables(const Function& f) {
  for (const auto type : {numeric_type::f32, numeric_type::bf16}) {
    for (const auto instructions : test::available_instructions()) {
      const auto* table = find_kernels(type, instructions);
      REQUIRE(table != nullptr);
      CAPTURE(table->name);
      CHECK(table->type == type);
      f(*table, *find_kernels(type, instruction_set::scalar));
    }
  }
}

struct product {
  std::uint32_t rows, width, depth;
  const packed& weights;
  const std::vector<float>&in, &bias;

  [[nodiscard]] matmul_args args(std::vector<float>& out, std::uint32_t first = 0, std::uint32_t count = UINT32_MAX) const {
    return {in.data() + first * depth, depth, std::min(count, rows - first), weights.view, bias.data(), out.data() + first * width, width};
  }
  [[nodiscard]] std::vector<float> whole(const kernel_table& table) const {
    std::vector<float> out(std::size_t{rows} * width, -1.0F);
    table.matmul(args(out), 0, static_cast<std::uint32_t>(panels_of(width)));
    return out;
  }
};

/// A pool of blocks with random K and V of one layer and head: [block][k or v][token][head_dim].
struct sequence_memory {
  sequence_memory(test::random_source& random, numeric_type type, std::uint32_t tokens, std::uint32_t block_tokens, std::uint32_t head_dim)
      : block_tokens(block_tokens), head_dim(head_dim), table((tokens + block_tokens - 1) / block_tokens) {
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<block_index>(table.size() - 1 - i);
    const auto values = random_floats(random, table.size() * 2 * block_tokens * head_dim);
    bytes.resize(values.size() * bytes_of(type));
    // What is not written may be anything: nothing may depend on it.
    std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
    const auto* scalar = find_kernels(type, instruction_set::scalar);
    for (std::uint32_t p = 0; p < tokens; ++p) {
      const auto at = (std::size_t{table[p / block_tokens]} * 2 * block_tokens + p % block_tokens) * head_dim;
      for (const std::size_t plane : {std::size_t{0}, std::size_t{block_tokens} * head_dim}) {
        scalar->store_kv(values.data() + at + plane, bytes.data() + (at + plane) * bytes_of(type), head_dim);
      }
    }
    values_offset = std::size_t{block_tokens} * head_dim * bytes_of(type);
  }
  [[nodiscard]] attention_args args(const std::vector<float>& query, std::vector<float>& out, std::uint32_t group, std::uint32_t position,
                                    std::uint32_t first, std::uint32_t tokens) const {
    attention_args result;
    const std::size_t width = std::size_t{group} * head_dim;
    result.query = query.data() + first * width;
    result.out = out.data() + first * width;
    result.query_stride = result.out_stride = width;
    result.tokens = tokens;
    result.group = group;
    result.head_dim = head_dim;
    result.position = position + first;
    result.keys = bytes.data();
    result.values = bytes.data() + values_offset;
    result.block_stride = std::size_t{2} * block_tokens * head_dim;
    result.block_tokens = block_tokens;
    result.table = table.data();
    return result;
  }
  std::uint32_t block_tokens, head_dim;
  std::vector<block_index> table;
  std::vector<std::byte> bytes;
  std::size_t values_offset = 0;
};

}  // namespace

TEST_CASE("the best table is the widest that is available") {
  for (const auto type : {numeric_type::f32, numeric_type::bf16}) {
    CHECK(find_kernels(type) == find_kernels(type, test::available_instructions().back()));
  }
}

TEST_CASE("a matrix product has the same bits for every M, from 1 to 70, and any cut of M and N") {
  for_tables([](const kernel_table& table, const kernel_table& scalar) {
    for (const auto& [width, depth] : {std::pair{1U, 1U}, {29U, 15U}, {64U, 64U}, {65U, 17U}, {150U, 172U}, {201U, 37U}}) {
      CAPTURE(width);
      CAPTURE(depth);
      test::random_source random{width};
      const packed weights(random, table.type, width, depth);
      const auto in = random_floats(random, 70 * depth), bias = random_floats(random, width);
      const product all{70, width, depth, weights, in, bias};
      const auto whole = all.whole(table);
      CHECK(error_of(whole, all.whole(scalar)) <= 1e-5);
      for (std::uint32_t rows = 1; rows < 70; ++rows) {
        CAPTURE(rows);
        std::vector<float> parts(whole.size());
        for (std::uint32_t first = 0; first < 70; first += rows) {
          for (std::uint32_t panel = 0; panel < panels_of(width); ++panel) table.matmul(all.args(parts, first, rows), panel, panel + 1);
        }
        CHECK(parts == whole);
      }
    }
  });
}

TEST_CASE("a matrix product is the sum that it says, without a bias too") {
  for_tables([](const kernel_table& table, const kernel_table&) {
    test::random_source random{5};
    const packed weights(random, table.type, 70, 91);
    const auto in = random_floats(random, 3 * 91);
    std::vector<float> out(3 * 70), want(3 * 70);
    table.matmul({in.data(), 91, 3, weights.view, nullptr, out.data(), 70}, 0, 2);
    for (std::size_t m = 0; m < 3; ++m) {
      for (std::size_t n = 0; n < 70; ++n) {
        double sum = 0;
        for (std::size_t k = 0; k < 91; ++k) sum += static_cast<double>(in[m * 91 + k]) * static_cast<double>(weights.values[n * 91 + k]);
        want[m * 70 + n] = static_cast<float>(sum);
      }
    }
    CHECK(error_of(out, want) <= 1e-6);
  });
}

TEST_CASE("an embedding is the row itself") {
  for_tables([](const kernel_table& table, const kernel_table&) {
    test::random_source random{6};
    const packed embedding(random, table.type, 131, 33);
    for (std::uint32_t token = 0; token < 131; ++token) {
      std::vector<float> out(33);
      table.embed(embedding.view, static_cast<token_id>(token), out.data());
      CHECK(out == std::vector<float>(embedding.values.begin() + token * 33, embedding.values.begin() + (token + 1) * 33));
    }
  });
}

TEST_CASE("rows of any length agree with the scalar twin") {
  for_tables([](const kernel_table& table, const kernel_table& scalar) {
    for (std::uint32_t size = 2; size < 80; size += 2) {
      CAPTURE(size);
      test::random_source random{size};
      const auto in = random_floats(random, size), other = random_floats(random, size);
      std::vector<float> got(size), want(size);
      table.rms_norm(in.data(), other.data(), got.data(), size, 1e-6F);
      scalar.rms_norm(in.data(), other.data(), want.data(), size, 1e-6F);
      CHECK(error_of(got, want) <= 1e-6);
      auto wide = in;
      for (auto& value : wide) value *= 30;
      table.silu_multiply(wide.data(), other.data(), got.data(), size);
      scalar.silu_multiply(wide.data(), other.data(), want.data(), size);
      CHECK(error_of(got, want) <= 1e-6);
      got = want = in;
      table.add(got.data(), other.data(), size);
      scalar.add(want.data(), other.data(), size);
      CHECK(got == want);
      table.rotate(got.data(), other.data(), other.data() + size / 2, size);
      scalar.rotate(want.data(), other.data(), other.data() + size / 2, size);
      CHECK(error_of(got, want) <= 1e-6);
    }
  });
}

TEST_CASE("silu of extreme numbers") {
  for_tables([](const kernel_table& table, const kernel_table&) {
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> gate{0.0F, 200.0F, -200.0F, infinity, std::numeric_limits<float>::quiet_NaN()}, up(5, 1.0F);
    std::vector<float> out(5);
    table.silu_multiply(gate.data(), up.data(), out.data(), 5);
    CHECK(out[0] == 0.0F);
    CHECK(out[1] == 200.0F);
    CHECK(std::abs(out[2]) < 1e-35F);
    CHECK(out[3] == infinity);
    CHECK(std::isnan(out[4]));
  });
}

TEST_CASE("K and V are rounded to nearest even and nothing beyond them is written") {
  for_tables([](const kernel_table& table, const kernel_table&) {
    std::vector<float> from;
    for (const std::uint32_t bits :
         {0x3f800000U, 0x3f808000U, 0x3f808001U, 0x3f818000U, 0x7f7fffffU, 0x80000000U, 0x00000001U, 0xff800000U})
      from.push_back(std::bit_cast<float>(bits));
    test::random_source random{9};
    while (from.size() < 40) from.push_back(random.symmetric());
    for (std::uint32_t size = 1; size <= 40; ++size) {
      if (table.type == numeric_type::f32) {
        std::vector<float> to(41, 7.0F), want(from.begin(), from.begin() + size);
        want.resize(41, 7.0F);
        table.store_kv(from.data(), to.data(), size);
        CHECK(to == want);
      } else {
        std::vector<std::uint16_t> to(41, 7), want;
        for (std::uint32_t i = 0; i < size; ++i) want.push_back(f32_to_bf16(from[i]));
        want.resize(41, 7);
        table.store_kv(from.data(), to.data(), size);
        CHECK(to == want);
      }
    }
    const float nan = std::bit_cast<float>(0x7f800001U);
    if (table.type == numeric_type::bf16) {
      std::uint16_t to = 0;
      table.store_kv(&nan, &to, 1);
      CHECK(std::isnan(bf16_to_f32(to)));
    }
  });
}

TEST_CASE("attention has the same bits for any number of tokens at once and agrees with the scalar twin") {
  for_tables([](const kernel_table& table, const kernel_table& scalar) {
    struct shape {
      std::uint32_t group, head_dim, block_tokens, position;
    };
    for (const auto& [group, head_dim, block_tokens, position] : {shape{2, 128, 32, 0},
                                                                  {2, 128, 32, 500},
                                                                  {1, 2, 5, 120},
                                                                  {3, 20, 8, 250},
                                                                  {7, 80, 16, 100},
                                                                  {40, 64, 32, 126},
                                                                  {8, 96, 32, 383}}) {
      CAPTURE(group);
      CAPTURE(head_dim);
      test::random_source random{head_dim};
      const auto tokens_max = std::max(1U, attention_rows / group), tokens = 2 * tokens_max + 1;
      const sequence_memory memory(random, table.type, position + tokens, block_tokens, head_dim);
      auto query = random_floats(random, std::size_t{tokens} * group * head_dim);
      for (auto& value : query) value *= 3;
      std::vector<float> alone(query.size()), together(query.size());
      for (std::uint32_t t = 0; t < tokens; ++t) scalar.attend(memory.args(query, alone, group, position, t, 1));
      for (std::uint32_t t = 0; t < tokens; ++t) table.attend(memory.args(query, together, group, position, t, 1));
      CHECK(error_of(together, alone) <= 1e-5);
      alone = together;
      for (std::uint32_t count = 2; count <= tokens_max; ++count) {
        CAPTURE(count);
        for (std::uint32_t t = 0; t < tokens; t += count)
          table.attend(memory.args(query, together, group, position, t, std::min(count, tokens - t)));
        CHECK(together == alone);
      }
    }
  });
}
