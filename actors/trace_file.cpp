#include "actors/trace_file.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::actors {
namespace {

using json = nlohmann::ordered_json;

std::string line_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// As text: a JSON number of 64 bits loses its last digits in most readers.
std::string text_of(request_id id) { return std::to_string(id.value); }

}  // namespace

std::string json_line(const turn_record& record) {
  json line{{"type", "turn"},
            {"at_ms", record.at_ms},
            {"id", text_of(record.id)},
            {"session", record.session.value},
            {"parent", record.parent.value},
            {"model", record.model.value},
            {"worker", record.worker.value},
            {"how", record.how},
            {"prompt_tokens", record.prompt_tokens},
            {"cached_tokens", record.cached_tokens},
            {"output_tokens", record.output_tokens},
            {"queue_s", record.queue_s},
            {"first_token_s", record.first_token_s},
            {"total_s", record.total_s}};
  if (!record.tools.empty()) line["tools"] = record.tools;
  if (record.miss.reason != cache_miss_reason::none) {
    line["cache_miss"] = to_string(record.miss.reason);
    line["missed_tokens"] = record.miss.tokens;
  }
  return line_of(line);
}

std::string json_line(const lifecycle_record& record) {
  return line_of(json{{"type", "lifecycle"},
                      {"at_ms", record.at_ms},
                      {"session", record.session.value},
                      {"verb", record.verb},
                      {"outcome", record.outcome},
                      {"blocks_freed", record.blocks_freed}});
}

std::string json_line(const pause_record& record) {
  return line_of(json{{"type", "pause"},
                      {"at_ms", record.at_ms},
                      {"session", record.session.value},
                      {"tools", record.tools},
                      {"took_ms", record.took_ms},
                      {"expected_ms", record.expected_ms},
                      {"early_ms", record.early_ms},
                      {"median_ms", record.median_ms},
                      {"late_ms", record.late_ms},
                      {"prefetch", to_string(record.prefetch)},
                      {"blocks_prefetched", record.blocks_prefetched}});
}

trace_file::trace_file(std::string path, std::size_t bytes_max) : path_{std::move(path)}, bytes_max_{bytes_max} {
  if (!path_.empty()) open();
}

void trace_file::open() {
  file_.close();
  file_.clear();
  file_.open(path_, std::ios::binary | std::ios::app);
  std::error_code missing;
  const auto size = std::filesystem::file_size(path_, missing);
  bytes_ = missing ? 0 : static_cast<std::size_t>(size);
}

void trace_file::rotate() {
  file_.close();
  std::error_code problem;
  std::filesystem::rename(path_, path_ + ".1", problem);
  if (problem) std::filesystem::resize_file(path_, 0, problem);  // Better to lose old lines than to grow without bound.
  open();
}

void trace_file::write(const std::string& line) {
  if (path_.empty()) return;
  if (line.size() > limits::trace_line_bytes_max) return lose("a record is too long");
  if (bytes_ != 0 && bytes_ + line.size() + 1 > bytes_max_) rotate();
  file_ << line << '\n' << std::flush;
  if (!file_) {
    file_.clear();
    return lose("cannot write");
  }
  bytes_ += line.size() + 1;
}

void trace_file::lose(const char* why) {
  if (lines_lost_++ == 0) spdlog::error("trace file {}: {}; further losses are only counted", path_, why);
}

}  // namespace troupe::actors
