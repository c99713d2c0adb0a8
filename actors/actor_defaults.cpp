#include "actors/actor_defaults.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <caf/all.hpp>
#include <exception>

#include "messages/errors.hpp"

namespace troupe::actors {
namespace {

std::atomic<std::uint64_t> unexpected{0};

std::string text_of(const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

std::string text_of(const caf::error& error) {
  const auto known = to_failure(error);
  return std::string{describe(known.code).name} + " (" + known.message + ")";
}

}  // namespace

void set_defaults(caf::scheduled_actor* self, const std::string& name) {
  self->set_default_handler([name](caf::scheduled_actor*, caf::message_view& view) -> caf::result<caf::message> {
    unexpected.fetch_add(1, std::memory_order_relaxed);
    spdlog::warn("{}: no handler for a message of {} elements", name, view.content().size());
    return caf::sec::unexpected_message;
  });
  self->set_down_handler([name](caf::scheduled_actor*, caf::down_msg& down) {
    spdlog::debug("{}: an actor it monitors ended: {}", name, text_of(down.reason));
  });
  self->set_error_handler([name](caf::scheduled_actor* actor, caf::error& error) {
    spdlog::error("{}: ends for an error that no one handles: {}", name, text_of(error));
    actor->quit(error);
  });
  self->set_exception_handler([name](caf::scheduled_actor*, std::exception_ptr& problem) -> caf::error {
    return make_error(errc::internal, name + ": " + text_of(problem));
  });
}

std::uint64_t unexpected_messages() noexcept { return unexpected.load(std::memory_order_relaxed); }

std::chrono::nanoseconds now_of(caf::scheduled_actor* self) { return self->clock().now().time_since_epoch(); }

}  // namespace troupe::actors
