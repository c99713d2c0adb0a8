// What the fuzz targets share: cutting an input into its parts, and stopping where something does not hold.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::fuzz {

/// The fuzzer keeps the input that led here, and a plain run ends with it.
inline void demand(bool holds, std::string_view what, std::string_view detail = {}) {
  if (holds) return;
  std::cerr << "does not hold: " << what << "\n" << detail << std::endl;
  std::abort();
}

class input_reader {
 public:
  input_reader(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  /// 0 when there is none.
  std::uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  std::string_view take(std::size_t bytes) {
    const auto taken = left_.substr(0, bytes);
    left_.remove_prefix(taken.size());
    return taken;
  }
  /// Up to `mark`, which is taken too; everything when it is not there.
  std::string_view until(char mark) {
    const auto taken = left_.substr(0, left_.find(mark));
    left_.remove_prefix(std::min(left_.size(), taken.size() + 1));
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return left_; }

 private:
  std::string_view left_;
};

/// Cuts text into portions that `seed` decides: of one byte, of few, or of many.
inline std::vector<std::string_view> portions_of(std::string_view text, std::uint8_t seed) {
  constexpr std::size_t longest[] = {1, 3, 16, 200};
  const auto most = longest[seed % 4];
  std::uint32_t state = seed + 1U;
  std::vector<std::string_view> portions;
  while (!text.empty()) {
    state = state * 1'664'525U + 1'013'904'223U;
    const auto size = std::min<std::size_t>(text.size(), 1 + (state >> 16) % most);
    portions.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return portions;
}

}  // namespace troupe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
