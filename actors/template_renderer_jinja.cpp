#include "actors/template_renderer_jinja.hpp"

#include <map>
#include <memory>

namespace troupe::actors {
namespace {

/// The engine and the templates that did not compile, with why.
struct jinja_state {
  explicit jinja_state(text::render_limits limits) : engine{limits} {}

  text::template_engine engine;
  std::map<std::string, failure> broken;
};

}  // namespace

render_factory jinja_renderer(std::vector<model_template> templates, text::render_limits limits) {
  return [templates = std::move(templates), limits]() -> expected<render_function> {
    auto state = std::make_shared<jinja_state>(limits);
    for (const auto& each : templates)
      if (auto added = state->engine.add(each.model.value, each.source); !added) state->broken.emplace(each.model.value, added.error());
    return render_function{[state](const std::string& model, const std::string& input) -> expected<std::string> {
      if (auto broken = state->broken.find(model); broken != state->broken.end()) return broken->second;
      return state->engine.render(model, input);
    }};
  };
}

}  // namespace troupe::actors
