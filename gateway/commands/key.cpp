// `troupe key`: draws a key and prints what the config needs to know of it. The key itself is nowhere else: who loses it draws another.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "gateway/access.hpp"
#include "gateway/commands/commands.hpp"
#include "messages/base/session_scope.hpp"

namespace troupe::gateway {
namespace {

struct key_options {
  std::string name = "key", tenant{default_tenant};
  bool admin = false;
};

std::string hex_text(const key_hash& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) (text += digits[byte >> 4]) += digits[byte & 15];
  return text;
}

/// A name goes into the config as it is.
bool is_plain(const std::string& name) {
  return !name.empty() && name.find_first_of("\"\\") == name.npos &&
         std::ranges::all_of(name, [](unsigned char letter) { return letter >= ' ' && letter != 0x7f; });
}

int draw_key(const key_options& options) {
  if (!is_plain(options.name)) return fail("--name must be a text without quotes and backslashes");
  if (const auto why = check_tenant_name(options.tenant); !why.empty()) return fail("--tenant " + why);
  key_hash drawn;
  if (getentropy(drawn.data(), drawn.size()) != 0) return fail(std::string("no random bytes: ") + std::strerror(errno));
  const auto key = "tk-" + hex_text(drawn);
  std::printf("The key, shown this once: %s\n\n[[key]]\nname = \"%s\"\nhash = \"%s\"\ntenant = \"%s\"\nadmin = %s\n", key.c_str(),
              options.name.c_str(), hex_text(hash_of_key(key)).c_str(), options.tenant.c_str(), options.admin ? "true" : "false");
  return 0;
}

}  // namespace

void add_key(CLI::App& app, command& run) {
  auto options = std::make_shared<key_options>();
  auto* sub = app.add_subcommand("key", "Draw an API key, and print the lines of a config that let it in");
  sub->add_option("--name", options->name, "For logs");
  sub->add_option("--tenant", options->tenant, "Whose key it is");
  sub->add_flag("--admin", options->admin, "It sees and ends sessions of every tenant");
  sub->callback([options, &run] { run = [options] { return draw_key(*options); }; });
}

}  // namespace troupe::gateway
