// The `troupe` program: parses the command line and runs one subcommand.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "gateway/commands/commands.hpp"

// CAF derives a node's id from the machine's addresses and this number. Containers share both, so the number is drawn anew
// instead of being the process id (the library's definition is replaced by symbol interposition).
namespace caf::detail {
unsigned get_process_id() {
  static const unsigned drawn = [] {
    std::uint32_t number = 0;
    if (getentropy(&number, sizeof(number)) != 0) number = static_cast<std::uint32_t>(getpid());
    return number & 0x7fffffffU;
  }();
  return drawn;
}
}  // namespace caf::detail

int main(int argc, char** argv) {
  CLI::App app{"Troupe serves language models to agents"};
  app.require_subcommand(1);
  troupe::gateway::command run;
  troupe::gateway::add_serve(app, run);
  troupe::gateway::add_check(app, run);
  troupe::gateway::add_generate(app, run);
  troupe::gateway::add_tokenize(app, run);
  troupe::gateway::add_demo(app, run);
  troupe::gateway::add_replay(app, run);
  troupe::gateway::add_key(app, run);
  troupe::gateway::add_version(app, run);
  CLI11_PARSE(app, argc, argv);
  return run();
}
