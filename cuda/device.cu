#include <cuda_runtime.h>

#include "cuda/device.hpp"

namespace troupe::cuda {

std::vector<device_info> list_devices(std::string& why) {
  std::vector<device_info> devices;
  int count = 0;
  if (const auto status = cudaGetDeviceCount(&count); status != cudaSuccess) {
    why = cudaGetErrorString(status);
    (void)cudaGetLastError();  // clears the error, which would else surface at the next launch
    return devices;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
    devices.push_back({index, properties.name, properties.major, properties.minor, properties.multiProcessorCount, properties.totalGlobalMem});
  }
  if (devices.empty()) why = "no CUDA device";
  return devices;
}

}  // namespace troupe::cuda
