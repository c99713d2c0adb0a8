#include "engine/core/model/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace troupe::core {
namespace {

using nlohmann::json;

constexpr std::size_t rank_max = 8;
constexpr std::size_t name_bytes_shown_max = 128;

struct dtype_entry {
  std::string_view name;
  tensor_dtype dtype;
  std::uint32_t bytes;
};
constexpr std::array<dtype_entry, 15> dtypes{{
    {"F32", tensor_dtype::f32, 4},
    {"F16", tensor_dtype::f16, 2},
    {"BF16", tensor_dtype::bf16, 2},
    {"F64", tensor_dtype::other, 8},
    {"I64", tensor_dtype::other, 8},
    {"I32", tensor_dtype::other, 4},
    {"I16", tensor_dtype::other, 2},
    {"I8", tensor_dtype::other, 1},
    {"U64", tensor_dtype::other, 8},
    {"U32", tensor_dtype::other, 4},
    {"U16", tensor_dtype::other, 2},
    {"U8", tensor_dtype::other, 1},
    {"BOOL", tensor_dtype::other, 1},
    {"F8_E4M3", tensor_dtype::other, 1},
    {"F8_E5M2", tensor_dtype::other, 1},
}};

failure corrupt(std::string what) { return {errc::corrupt_data, "safetensors header: " + std::move(what), ""}; }

std::string shown(const std::string& name) { return "tensor '" + name.substr(0, name_bytes_shown_max) + "'"; }

/// root -> (metadata | tensor -> (shape | offsets) -> tensor) -> root -> done
class header_reader final : public nlohmann::json_sax<json> {
 public:
  std::vector<tensor_entry> entries;
  std::string error;

  bool start_object(std::size_t) override {
    if (state_ == state::before) return go(state::root);
    if (state_ != state::root) return fail("an object where none belongs");
    if (key_ == "__metadata__") return go(state::metadata);
    entries.emplace_back();
    entries.back().name = key_;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return go(state::tensor);
  }
  bool key(string_t& name) override {
    key_ = std::move(name);
    if (state_ != state::tensor) return true;
    bool* seen = key_ == "dtype" ? &has_dtype_ : key_ == "shape" ? &has_shape_ : key_ == "data_offsets" ? &has_offsets_ : nullptr;
    if (seen == nullptr || *seen) return fail(shown(entries.back().name) + " has an unknown or repeated field");
    return *seen = true;
  }
  bool end_object() override {
    if (state_ == state::root) return go(state::done);
    if (state_ == state::tensor && !(has_dtype_ && has_shape_ && has_offsets_ && offsets_ == 2)) {
      return fail(shown(entries.back().name) + " lacks dtype, shape or data_offsets");
    }
    return go(state::root);
  }
  bool start_array(std::size_t) override {
    offsets_ = key_ == "data_offsets" ? 0 : offsets_;
    if (state_ == state::tensor && key_ == "shape") return go(state::shape);
    if (state_ == state::tensor && key_ == "data_offsets") return go(state::offsets);
    return fail("a list where none belongs");
  }
  bool end_array() override { return go(state::tensor); }
  bool string(string_t& text) override {
    if (state_ == state::metadata) return true;
    if (state_ != state::tensor || key_ != "dtype") return fail("a string where none belongs");
    const auto found = std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& entry) { return entry.name == text; });
    if (found == dtypes.end()) return fail(shown(entries.back().name) + " has the unknown dtype " + text.substr(0, 32));
    entries.back().dtype = found->dtype;
    entries.back().element_bytes = found->bytes;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == state::shape) {
      if (entries.back().shape.size() == rank_max) return fail(shown(entries.back().name) + " has too many dimensions");
      entries.back().shape.push_back(value);
      return true;
    }
    if (state_ != state::offsets) return fail("a number where none belongs");
    if (offsets_ == 2) return fail(shown(entries.back().name) + " has more than two data_offsets");
    (offsets_++ == 0 ? entries.back().begin : entries.back().end) = value;
    return true;
  }
  bool null() override { return fail("a null where none belongs"); }
  bool boolean(bool) override { return fail("a boolean where none belongs"); }
  bool number_integer(number_integer_t) override { return fail("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return fail("a number that is no count of bytes"); }
  bool binary(binary_t&) override { return fail("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class state : std::uint8_t { before, root, metadata, tensor, shape, offsets, done };
  bool go(state next) {
    state_ = next;
    return true;
  }
  bool fail(std::string what) {
    if (error.empty()) error = std::move(what);
    return false;
  }

  state state_ = state::before;
  std::string key_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  int offsets_ = 0;
};

std::string check_size(const tensor_entry& entry, std::uint64_t data_bytes) {
  if (entry.begin > entry.end || entry.end > data_bytes) return shown(entry.name) + " lies outside of the file";
  std::uint64_t bytes = entry.element_bytes;
  for (const auto dimension : entry.shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) return shown(entry.name) + " is larger than any memory";
  }
  if (bytes != entry.end - entry.begin) return shown(entry.name) + " has data_offsets that do not agree with its shape";
  return "";
}

/// Sorted by place, each tensor must begin where the one before ends.
std::string check_places(std::vector<tensor_entry>& entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  std::uint64_t end = 0;
  for (const auto& entry : entries) {
    if (entry.begin != end) return shown(entry.name) + (entry.begin < end ? " overlaps another" : " leaves a hole before it");
    end = entry.end;
  }
  return end == data_bytes ? "" : "tensors end at byte " + std::to_string(end) + " of " + std::to_string(data_bytes);
}

}  // namespace

expected<std::vector<tensor_entry>> parse_safetensors_header(std::string_view text, std::uint64_t data_bytes) {
  if (text.empty() || text.front() != '{') return corrupt("does not begin with {");
  header_reader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) return corrupt(reader.error.empty() ? "not valid JSON" : reader.error);
  for (const auto& entry : reader.entries) {
    if (auto error = check_size(entry, data_bytes); !error.empty()) return corrupt(std::move(error));
  }
  if (auto error = check_places(reader.entries, data_bytes); !error.empty()) return corrupt(std::move(error));
  auto& entries = reader.entries;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != entries.end()) return corrupt(shown(twice->name) + " is there twice");
  return std::move(entries);
}

}  // namespace troupe::core
