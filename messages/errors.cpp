#include "messages/errors.hpp"

#include <caf/atom.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace troupe {
namespace {

const caf::atom_value category = caf::atom("troupe");

failure from_system(caf::sec code, const std::string& text) {
  switch (code) {
    case caf::sec::request_timeout: return {errc::deadline_exceeded, "an internal request ran past its deadline", {}};
    case caf::sec::request_receiver_down: return {errc::not_ready, "the actor asked has ended", {}};
    default: return {errc::internal, text, {}};
  }
}

}  // namespace

caf::error make_error(errc code, std::string message, std::string param) {
  return {static_cast<std::uint8_t>(code), category, caf::make_message(std::move(message), std::move(param))};
}

caf::error make_error(const failure& error) { return make_error(error.code, error.message, error.param); }

failure to_failure(const caf::error& error) {
  const auto text = "actor error " + std::to_string(error.code());
  if (error.category() == category) {
    failure result{static_cast<errc>(error.code()), {}, {}};
    if (error.context().match_elements<std::string, std::string>()) {
      result.message = error.context().get_as<std::string>(0);
      result.param = error.context().get_as<std::string>(1);
    }
    return result;
  }
  if (error.category() == caf::atom("system")) return from_system(static_cast<caf::sec>(error.code()), text);
  return {errc::internal, text, {}};
}

}  // namespace troupe
