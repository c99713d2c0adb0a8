// The tables by name, for the one place that chooses among them: calling into a table whose instructions the processor lacks ends the
// process, so everyone else asks find_kernels.
#pragma once

#include "engine/core/cpu/kernels.hpp"

namespace troupe::core {

extern const kernel_table scalar_f32_table, scalar_bf16_table;
#if defined(__x86_64__)
extern const kernel_table avx2_f32_table, avx2_bf16_table;      ///< AVX2 and FMA
extern const kernel_table avx512_f32_table, avx512_bf16_table;  ///< AVX-512 F, BW, DQ and VL
#endif

/// Widening is exact, so all tables share these.
void embed_f32(const matrix& embedding, token_id token, float* out);
void embed_bf16(const matrix& embedding, token_id token, float* out);

}  // namespace troupe::core
