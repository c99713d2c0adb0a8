// Everything a step plan can get wrong, found before any memory is touched: a defect of a scheduler must end as a failed step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/backend.hpp"

namespace troupe::core {

struct plan_bounds {
  std::uint32_t block_count = 0, block_tokens = 0, slots = 0;
  std::uint32_t vocabulary = 0, context_tokens = 0;
};

class plan_checker {
 public:
  explicit plan_checker(const plan_bounds& bounds) : bounds_(bounds), written_in_(bounds.block_count, 0) {}
  /// The first thing that is wrong, or an empty string. Tokens that name slots pass here; resolving them may still fail.
  std::string check(const step_plan& plan);
  [[nodiscard]] std::string check(const copy_plan& plan) const;
  [[nodiscard]] std::string check(const transfer_plan& plan) const;

 private:
  std::string check_row(const step_plan& plan, const plan_row& row);
  [[nodiscard]] std::string check_sample(const step_plan& plan, const sample_request& sample) const;

  plan_bounds bounds_;
  std::vector<std::uint64_t> written_in_;  ///< per block, the check that last saw it written: two rows must not write one block
  std::uint64_t checks_ = 0;
};

}  // namespace troupe::core
