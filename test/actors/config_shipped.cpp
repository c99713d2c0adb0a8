// The config files that come with the program say what the program does.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "actors/config_timing.hpp"
#include "test/actors/config_text.hpp"

using namespace troupe;
using namespace troupe::actors;
namespace fs = std::filesystem;

namespace {

fs::path configs() {
  const char* source = std::getenv("TROUPE_SOURCE");
  REQUIRE_MESSAGE(source != nullptr, "TROUPE_SOURCE names the source folder");
  return fs::path(source) / "configs";
}

}  // namespace

TEST_CASE("the shipped node.toml holds every key, at its default") {
  const auto file = configs() / "node.toml";
  const auto shipped = load_config(file, "/home/agent");
  if (!shipped) FAIL(shipped.error().message);
  auto wanted =
      parse_config("[[model]]\npath = \"models/builtin\"\naliases = [\"claude-*\", \"gpt-*\"]", {fs::absolute(configs()), "/home/agent"});
  REQUIRE(wanted);
  CHECK(*shipped == *wanted);

  // Line by line: each section names exactly the keys that the parser knows.
  std::vector<std::string> written;
  std::string section, line;
  std::ifstream in(file);
  while (std::getline(in, line)) {
    if (line.starts_with("#") && !line.starts_with("# ")) line.erase(0, 1);  // an example of a section that is not there by default
    if (line.starts_with("["))
      section = line.substr(line.find_first_not_of('['), line.find(']') - line.find_first_not_of('['));
    else if (const auto equals = line.find(" = "); equals != std::string::npos && line[0] != '#')
      written.push_back(section + "." + line.substr(0, equals));
  }
  CHECK(written == config_keys());
}

TEST_CASE("every shipped config loads and writes back") {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(configs())) {
    if (entry.path().extension() != ".toml") continue;
    CAPTURE(entry.path());
    ++files;
    if (entry.path().filename() == "timing.toml") continue;  // rates, not a node: below
    const auto loaded = load_config(entry.path(), "/home/agent");
    if (!loaded) FAIL(loaded.error().message);
    const auto again = parse_config(to_toml(*loaded), {"/elsewhere", ""});
    if (!again) FAIL(again.error().message);
    CHECK(*again == *loaded);
  }
  CHECK(files >= 1);
}

TEST_CASE("the shipped rates are the replay lab's defaults, and mistakes are named") {
  std::ifstream file(configs() / "timing.toml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto shipped = parse_timing(text, "timing.toml");
  REQUIRE(shipped);
  CHECK(*shipped == core::replay::replay_rates{});
  CHECK(parse_timing("[timing]\nstep_s = 1", "f")->step_s == 1);
  CHECK(parse_timing("[timing]\nstep = 1", "f").error().message == "f: timing.step: unknown key (line 2)");
  CHECK(parse_timing("[timing]\nstep_s = 0", "f").error().message == "f: timing.step_s: expects a number above 0 and up to 1e15");
  CHECK(parse_timing("[timing]\nstep_s = \"x\"", "f").error().message == "f: timing.step_s: expects a number");
  CHECK(parse_timing("[rates]", "f").error().message == "f: unknown section \"rates\" (line 1)");
  CHECK_FALSE(parse_timing("[timing", "f"));
}
