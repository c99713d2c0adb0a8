// The subcommands of the `troupe` program, one file each. Each adds its options to the command line and sets `run` when it is chosen.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace troupe::gateway {

/// Set by the chosen subcommand; returns the exit status of the process.
using command = std::function<int()>;

void add_version(CLI::App& app, command& run);
void add_check(CLI::App& app, command& run);
void add_tokenize(CLI::App& app, command& run);
void add_generate(CLI::App& app, command& run);
void add_serve(CLI::App& app, command& run);
void add_key(CLI::App& app, command& run);
void add_demo(CLI::App& app, command& run);
void add_replay(CLI::App& app, command& run);

/// Prints `what` for a person on standard error; the exit status of a failed command.
int fail(const std::string& what);

}  // namespace troupe::gateway
