// Whole answers for the timing backend, so that clients can be tested against what a model would say: the request's seed chooses one.
// Where an answer began is learned from the positions asked for, so two turns with one seed must not run at the same time.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/core/timing_backend.hpp"
#include "engine/text/tokenizer.hpp"

namespace troupe::actors {

class scripted_answers {
 public:
  /// `answers` as tokens, each to be followed by `end`; not empty.
  scripted_answers(std::vector<std::vector<token_id>> answers, token_id end);

  /// The next token of answer `seed` modulo their number. A position that does not follow the last one of `seed`, or any after the
  /// end, begins it anew.
  token_id at(std::uint64_t seed, std::uint64_t position);

 private:
  struct place {
    std::uint64_t position = 0;
    std::size_t offset = 0;
  };

  std::vector<std::vector<token_id>> answers_;
  token_id end_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, place> places_;  // by seed; dropped whole when it outgrows its bound
};

/// Reads `file`, a JSON list of strings. Failures: io_failed, corrupt_data.
expected<core::token_source> load_scripted_answers(const std::filesystem::path& file, const text::tokenizer& tokens, token_id end);

}  // namespace troupe::actors
