#include "engine/core/model/safetensors.hpp"

#include <set>

#include "engine/core/model/json_fields.hpp"
#include "messages/base/limits.hpp"

namespace troupe::core {
namespace {

namespace fs = std::filesystem;

failure corrupt(const fs::path& file, const std::string& what) { return {errc::corrupt_data, file.string() + ": " + what, ""}; }

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
  return value;
}

/// weight_map of an index: tensor name -> file name. A file is a plain name in the index's own folder.
expected<std::map<std::string, std::string>> read_weight_map(const fs::path& index) {
  const auto text = read_text_file(index, limits::model_json_bytes_max);
  if (!text) return text.error();
  const auto parsed = parse_json_object(*text, index.string());
  if (!parsed) return parsed.error();
  const auto map = parsed->find("weight_map");
  if (map == parsed->end() || !map->is_object()) return corrupt(index, "weight_map is missing");
  std::map<std::string, std::string> files;
  for (const auto& [name, value] : map->items()) {
    const auto file = value.is_string() ? value.get<std::string>() : "";
    if (file.empty() || file.find('/') != std::string::npos || file.find('\0') != std::string::npos || file == "." || file == "..") {
      return corrupt(index, "weight_map names no file for " + name.substr(0, 128));
    }
    files[name] = file;
  }
  return files;
}

}  // namespace

const tensor_view* safetensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

expected<safetensors> safetensors::open(const fs::path& folder) {
  std::error_code ignored;
  const auto single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  return !fs::exists(single, ignored) && fs::exists(index, ignored) ? open_sharded(index) : open_file(single);
}

expected<safetensors> safetensors::open_file(const fs::path& file) {
  auto mapped = mapped_file::open(file);
  if (!mapped) return mapped.error();
  const auto bytes = mapped->bytes();
  if (bytes.size() < 8) return corrupt(file, "is too short for a safetensors file");
  const auto header_bytes = little_endian(bytes);
  if (header_bytes > limits::safetensors_header_bytes_max || header_bytes > bytes.size() - 8) {
    return corrupt(file, "claims a header of " + std::to_string(header_bytes) + " bytes");
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes);
  const auto data = bytes.subspan(8 + header_bytes);
  auto entries = parse_safetensors_header(header, data.size());
  if (!entries) return corrupt(file, entries.error().message);
  safetensors result;
  for (auto& entry : *entries) {
    result.tensors_.emplace_hint(result.tensors_.end(), std::move(entry.name),
                                 tensor_view{entry.dtype, std::move(entry.shape), data.subspan(entry.begin, entry.end - entry.begin)});
  }
  result.headers_.push_back(header);
  result.files_.push_back(std::move(*mapped));
  return result;
}

expected<safetensors> safetensors::open_sharded(const fs::path& index) {
  const auto weight_map = read_weight_map(index);
  if (!weight_map) return weight_map.error();
  std::set<std::string> names;
  for (const auto& [tensor, file] : *weight_map) names.insert(file);
  if (names.size() > limits::model_shards_max) return corrupt(index, "names too many files");
  safetensors result;
  std::map<std::string, safetensors> shards;
  for (const auto& name : names) {
    auto shard = open_file(index.parent_path() / name);
    if (!shard) return shard.error();
    result.headers_.push_back(shard->headers_.front());
    shards.emplace(name, std::move(*shard));
  }
  for (const auto& [tensor, file] : *weight_map) {
    const auto* view = shards.at(file).find(tensor);
    if (view == nullptr) return corrupt(index, tensor.substr(0, 128) + " is not in " + file);
    result.tensors_.emplace_hint(result.tensors_.end(), tensor, *view);
  }
  for (auto& [name, shard] : shards) result.files_.push_back(std::move(shard.files_.front()));
  return result;
}

}  // namespace troupe::core
