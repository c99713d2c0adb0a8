// Hands the files of folders to a fuzz target, for builds without a fuzzer: what was found once is a plain test.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "test/fuzz/fuzz_input.hpp"

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t inputs = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[i])) {
      if (!entry.is_regular_file()) continue;
      const auto content = content_of(entry.path());
      std::cerr << entry.path().filename().string() << '\n';  // the last one is the one that failed
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
      ++inputs;
    }
  }
  std::cout << inputs << " inputs\n";
  return inputs == 0 ? 1 : 0;
}
