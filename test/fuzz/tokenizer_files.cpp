// A tokenizer.json, then a zero byte, then text for it. What holds: a file that cannot be used is a failure with a message; one that can
// yields tokens of its own vocabulary.
#include <sys/mman.h>
#include <unistd.h>

#include "engine/text/tokenizer.hpp"
#include "test/fuzz/fuzz_input.hpp"

namespace {

using namespace troupe;
using fuzz::demand;

/// Loads from memory that looks like a file.
expected<std::shared_ptr<const text::tokenizer>> load(std::string_view content) {
  static const int descriptor = ::memfd_create("tokenizer.json", MFD_CLOEXEC);
  demand(descriptor >= 0 && ::ftruncate(descriptor, 0) == 0, "there is a file");
  demand(::pwrite(descriptor, content.data(), content.size(), 0) == static_cast<ssize_t>(content.size()), "the file is written");
  return text::tokenizer::load("/proc/self/fd/" + std::to_string(descriptor));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input_reader input(data, size);
  const auto tokenizer = load(input.until('\0'));
  if (!tokenizer) {
    demand(!tokenizer.error().message.empty(), "a failure has a message");
    return 0;
  }
  const auto& made = **tokenizer;
  const std::string text(input.rest());
  for (const bool special : {false, true}) {
    const auto tokens = made.encode(text, {.add_special_tokens = special, .parse_special_tokens = !special});
    for (const auto token : tokens) {
      demand(token >= 0 && static_cast<std::uint32_t>(token) < made.size(), "a token is of the vocabulary");
      demand(made.token_bytes(token).size() == made.token_size(token), "a token is as long as it says");
    }
    demand(tokens == made.encode(text, {.add_special_tokens = special, .parse_special_tokens = !special}), "the same text is the same tokens");
    static_cast<void>(made.decode(tokens, {.skip_special_tokens = special}));
  }
  std::size_t end = 0;
  for (const auto& span : made.find_specials(text)) {
    demand(end <= span.begin && span.begin < span.end && span.end <= text.size(), "special tokens lie in order");
    end = span.end;
  }
  return 0;
}
