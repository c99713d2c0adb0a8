// Which CUDA devices this process can use. A machine with a toolkit and no device is an ordinary case: the list is empty.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace troupe::cuda {

struct device_info {
  int index = 0;
  std::string name;
  int compute_major = 0, compute_minor = 0;
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;  ///< total
};

/// Empty without a device or a driver; `why` then says so in one sentence.
std::vector<device_info> list_devices(std::string& why);

}  // namespace troupe::cuda
