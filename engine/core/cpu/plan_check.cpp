#include "engine/core/cpu/plan_check.hpp"

#include <algorithm>
#include <span>

namespace troupe::core {
namespace {

/// Whether [begin, begin + count) lies inside an array of `size`.
bool is_inside(std::uint64_t begin, std::uint64_t count, std::size_t size) { return begin + count <= size; }

std::string in_row(std::size_t row, const std::string& what) { return what.empty() ? what : "row " + std::to_string(row) + ": " + what; }

}  // namespace

std::string plan_checker::check(const step_plan& plan) {
  ++checks_;
  if (plan.rows.size() > bounds_.slots) return "more rows than slots";
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    if (auto error = check_row(plan, plan.rows[i]); !error.empty()) return in_row(i, error);
  }
  for (std::size_t i = 0; i < plan.samples.size(); ++i) {
    const auto& sample = plan.samples[i];
    if (sample.row >= plan.rows.size()) return "a sample of row " + std::to_string(sample.row) + ", which does not exist";
    if (i > 0 && sample.row <= plan.samples[i - 1].row) return "samples are not ascending by row";
    if (auto error = check_sample(plan, sample); !error.empty()) return in_row(sample.row, error);
  }
  return "";
}

std::string plan_checker::check_row(const step_plan& plan, const plan_row& row) {
  if (row.slot >= bounds_.slots) return "slot " + std::to_string(row.slot) + " of " + std::to_string(bounds_.slots);
  if (row.token_count == 0) return "no tokens";
  if (!is_inside(row.token_begin, row.token_count, plan.tokens.size())) return "tokens beyond the plan's";
  if (!is_inside(row.table_begin, row.table_count, plan.block_tables.size())) return "a block table beyond the plan's";
  const std::uint64_t end = std::uint64_t{row.position} + row.token_count;
  if (end > bounds_.context_tokens) return "position " + std::to_string(end - 1) + " is beyond the context";
  if (std::uint64_t{row.table_count} * bounds_.block_tokens < end) return "the block table does not cover its positions";
  const auto table = std::span(plan.block_tables).subspan(row.table_begin, row.table_count);
  for (const auto block : table) {
    if (block >= bounds_.block_count) return "block " + std::to_string(block) + " of " + std::to_string(bounds_.block_count);
  }
  for (auto i = row.position / bounds_.block_tokens; i <= (end - 1) / bounds_.block_tokens; ++i) {
    if (written_in_[table[i]] == checks_) return "block " + std::to_string(table[i]) + " is written twice";
    written_in_[table[i]] = checks_;
  }
  for (const auto token : std::span(plan.tokens).subspan(row.token_begin, row.token_count)) {
    const bool is_valid = token < 0 ? slot_of(token) < bounds_.slots : static_cast<std::uint32_t>(token) < bounds_.vocabulary;
    if (!is_valid) return "token " + std::to_string(token) + " is out of the vocabulary";
  }
  return "";
}

std::string plan_checker::check_sample(const step_plan& plan, const sample_request& sample) const {
  const std::uint64_t history = std::uint64_t{sample.history_prompt} + sample.history_output;
  if (!is_inside(sample.history_begin, history, plan.history.size())) return "a history beyond the plan's";
  for (const auto token : std::span(plan.history).subspan(sample.history_begin, history)) {
    if (static_cast<std::uint32_t>(token) >= bounds_.vocabulary) return "token " + std::to_string(token) + " in the history";
  }
  if (sample.mask_words == 0) return "";
  if (!is_inside(sample.mask_begin, sample.mask_words, plan.masks.size())) return "a mask beyond the plan's";
  const auto mask = std::span(plan.masks).subspan(sample.mask_begin, sample.mask_words);
  const auto full_words = std::min<std::size_t>(mask.size(), bounds_.vocabulary / 64);
  if (std::any_of(mask.begin(), mask.begin() + static_cast<std::ptrdiff_t>(full_words), [](auto word) { return word != 0; })) return "";
  const auto tail = bounds_.vocabulary % 64;
  const bool allows_tail = mask.size() > full_words && tail != 0 && (mask[full_words] & ((std::uint64_t{1} << tail) - 1)) != 0;
  return allows_tail ? "" : "its mask allows no token";
}

std::string plan_checker::check(const transfer_plan& plan) const {
  for (const auto& move : plan.moves) {
    if (move.block >= bounds_.block_count) return "block " + std::to_string(move.block) + " of " + std::to_string(bounds_.block_count);
    if (move.host == nullptr) return "a block without its place on the host";
  }
  return "";
}

std::string plan_checker::check(const copy_plan& plan) const {
  for (const auto& [from, to] : plan.blocks) {
    const auto largest = std::max(from, to);
    if (largest >= bounds_.block_count) return "block " + std::to_string(largest) + " of " + std::to_string(bounds_.block_count);
  }
  return "";
}

}  // namespace troupe::core
