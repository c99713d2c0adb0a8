// `troupe replay --online URL`: the recorded sessions against a live gateway.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe::gateway {

struct replay_online_options {
  std::string url;  ///< empty: the replay is not online
  std::string model, lifecycle = "events", urgent_hint = "priority";
  double urgent_share = 0, pause_scale = 1, slot_wait_s = 30, request_timeout_s = 600;
  std::uint32_t vocabulary = 256;  ///< token ids below it are in every byte-level vocabulary
};

/// What both ways to replay share.
struct replay_shared_options {
  std::vector<std::filesystem::path> traces;
  std::string format, scenario_text = "recorded", hints = "none";
  std::vector<std::string> policies;
  std::uint32_t seed = 1;
  std::filesystem::path json;
};

/// Adds --online and what only it takes. Returns --online, which options of the lab alone exclude.
CLI::Option* add_online_options(CLI::App& sub, replay_online_options& options);

/// The exit status: 0 also with failed requests, which the report counts.
int run_online(const replay_shared_options& shared, const replay_online_options& options);

}  // namespace troupe::gateway
