// The header of a safetensors file, read as strictly as the format's own description asks: every byte of the data belongs to
// exactly one tensor. Parsed as a stream, because a hostile header of 100 MB must not become gigabytes of JSON tree.
//
// Format: 8 bytes of header length (little endian), a JSON object {name: {dtype, shape, data_offsets: [begin, end)}},
// optional "__metadata__" of strings, then the data. Offsets count from the end of the header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/base/errc.hpp"

namespace troupe::core {

/// Those that can become weights have a name here; all others only take room in the file.
enum class tensor_dtype : std::uint8_t { f32, f16, bf16, other };

struct tensor_entry {
  std::string name;
  tensor_dtype dtype = tensor_dtype::other;
  std::uint32_t element_bytes = 0;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes from the beginning of the data
};

/// `data_bytes`: what follows the header in the file. Entries come back sorted by name. Fails with corrupt_data.
expected<std::vector<tensor_entry>> parse_safetensors_header(std::string_view json, std::uint64_t data_bytes);

}  // namespace troupe::core
