// Renders Hugging Face chat templates with CPython's jinja2, set up as `transformers` does it. One interpreter per process,
// one thread uses it: the template_renderer actor. Templates come from model folders or config only, never from a request.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "messages/base/errc.hpp"

namespace troupe::text {

struct render_limits {
  std::chrono::milliseconds time{250};
  std::size_t output_bytes = 32 << 20;
};

/// Owns the embedded interpreter. At most one alive; construct, use and destroy it on one thread.
class template_engine {
 public:
  explicit template_engine(render_limits limits);
  ~template_engine();

  /// Compiles `source` under `name`; again replaces it. Fails with template_failed: the message has jinja2's line number.
  expected<std::size_t> add(const std::string& name, const std::string& source);
  /// `input`: a JSON object of the template's variables (messages, tools, add_generation_prompt, bos_token, ...).
  /// Fails with template_failed: what raise_exception said, time or size over the limit; not_found: unknown name.
  expected<std::string> render(const std::string& name, const std::string& input);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace troupe::text
