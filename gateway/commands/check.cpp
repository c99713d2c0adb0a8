// `troupe check FILE`: is this config valid, and what does it say once every default is filled in?
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "actors/config.hpp"
#include "gateway/commands/commands.hpp"

namespace troupe::gateway {

void add_check(CLI::App& app, command& run) {
  auto file = std::make_shared<std::filesystem::path>();
  auto* sub = app.add_subcommand("check", "Validate a config file and print it resolved");
  sub->add_option("file", *file, "TOML file")->required();
  sub->callback([file, &run] {
    run = [file] {
      const char* home = std::getenv("HOME");
      const auto config = actors::load_config(*file, home ? home : "");
      if (!config) return fail(config.error().message);
      std::fputs(actors::to_toml(*config).c_str(), stdout);
      return 0;
    };
  });
}

}  // namespace troupe::gateway
