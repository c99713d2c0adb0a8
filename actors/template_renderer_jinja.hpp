// The render_factory of a node: text::template_engine with the templates of its models. Apart from the actor, so that what only
// needs the actor does not link a Python interpreter.
#pragma once

#include <string>
#include <vector>

#include "actors/template_renderer.hpp"
#include "engine/text/chat_template.hpp"

namespace troupe::actors {

struct model_template {
  model_id model;
  std::string source;  ///< Jinja, from the model's folder or the configuration
};

/// A template that does not compile fails its own model's requests with template_failed, and no others.
render_factory jinja_renderer(std::vector<model_template> templates, text::render_limits limits);

}  // namespace troupe::actors
