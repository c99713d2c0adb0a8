// The tensors of a model folder, mapped from one model.safetensors or from the shards that model.safetensors.index.json lists.
// Headers are validated completely when opened; a tensor's bytes may be unaligned.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/model/mapped_file.hpp"
#include "engine/core/model/safetensors_header.hpp"

namespace troupe::core {

struct tensor_view {
  tensor_dtype dtype = tensor_dtype::other;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> data;
};

class safetensors {
 public:
  /// Prefers model.safetensors. Failures: io_failed, corrupt_data; each names the file.
  static expected<safetensors> open(const std::filesystem::path& folder);
  static expected<safetensors> open_file(const std::filesystem::path& file);

  /// Null when absent.
  [[nodiscard]] const tensor_view* find(std::string_view name) const;
  /// By name ascending.
  [[nodiscard]] const std::map<std::string, tensor_view, std::less<>>& tensors() const noexcept { return tensors_; }
  /// The JSON headers as they are, by file name ascending.
  [[nodiscard]] const std::vector<std::string_view>& headers() const noexcept { return headers_; }

 private:
  safetensors() = default;
  static expected<safetensors> open_sharded(const std::filesystem::path& index);

  std::vector<mapped_file> files_;
  std::vector<std::string_view> headers_;
  std::map<std::string, tensor_view, std::less<>> tensors_;
};

}  // namespace troupe::core
