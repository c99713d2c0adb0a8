#include "engine/core/cpu/kernels.hpp"

#include "engine/core/cpu/kernel_tables.hpp"

namespace troupe::core {
namespace {

bool has_avx2() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

bool has_avx512() noexcept {
#if defined(__x86_64__)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

}  // namespace

const kernel_table* find_kernels(numeric_type type, instruction_set instructions) noexcept {
  if (instructions == instruction_set::best) {
    instructions = has_avx512() ? instruction_set::avx512 : has_avx2() ? instruction_set::avx2 : instruction_set::scalar;
  }
  const bool is_f32 = type == numeric_type::f32;
  if (instructions == instruction_set::scalar) return is_f32 ? &scalar_f32_table : &scalar_bf16_table;
#if defined(__x86_64__)
  if (instructions == instruction_set::avx512 && has_avx512()) return is_f32 ? &avx512_f32_table : &avx512_bf16_table;
  if (instructions == instruction_set::avx2 && has_avx2()) return is_f32 ? &avx2_f32_table : &avx2_bf16_table;
#endif
  return nullptr;
}

}  // namespace troupe::core
