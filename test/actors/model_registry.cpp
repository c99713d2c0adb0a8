#include "actors/model_registry.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using actors::model_registry;
using actors::served_model;

namespace {

model_registry::model_pointer model(std::string id, std::vector<std::string> aliases) {
  auto made = std::make_shared<served_model>();
  made->id = {std::move(id)};
  made->aliases = std::move(aliases);
  return made;
}

std::string name_of(const model_registry::model_pointer& found) { return found ? found->id.value : "none"; }

}  // namespace

TEST_CASE("an exact name wins over aliases, and aliases match in the order of the config") {
  const model_registry models{{model("first", {"gpt-*", "claude-?"}), model("gpt-x", {"gpt-*", "*"})}};
  CHECK(name_of(models.resolve("gpt-x")) == "gpt-x");
  CHECK(name_of(models.resolve("gpt-y")) == "first");
  CHECK(name_of(models.resolve("claude-1")) == "first");
  CHECK(name_of(models.resolve("claude-12")) == "gpt-x");
  CHECK(name_of(models.resolve("")) == "first");
}

TEST_CASE("a name that nothing matches has no model") {
  const model_registry models{{model("first", {"gpt-*"})}};
  CHECK(name_of(models.resolve("gpt")) == "none");
  CHECK(name_of(model_registry{{}}.resolve("")) == "none");
}
