#include <cstdio>

#include "gateway/commands/commands.hpp"
#include "gateway/version.hpp"

namespace troupe::gateway {

int fail(const std::string& what) {
  std::fprintf(stderr, "troupe: %s\n", what.c_str());
  return 1;
}

void add_version(CLI::App& app, command& run) {
  app.add_subcommand("version", "Print the version and the commit it was built from")->callback([&run] {
    run = [] {
      std::printf("troupe %s (%s)\n", std::string(version).c_str(), std::string(commit).c_str());
      return 0;
    };
  });
}

}  // namespace troupe::gateway
