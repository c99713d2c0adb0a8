#include "gateway/hint_report.hpp"

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

constexpr std::size_t name_bytes_max = 96;  // a client's own word for a field; a longer one is cut

std::string cut(std::string_view name) { return std::string(name.substr(0, name_bytes_max)); }

}  // namespace

bool hint_report::has_room() const noexcept { return applied_.size() + clipped_.size() + ignored_.size() < limits::hints_reported_max; }

void hint_report::apply(std::string_view name, std::string value) {
  if (has_room()) applied_.push_back({cut(name), std::move(value)});
}

void hint_report::clip(std::string_view name, std::string asked, std::string given) {
  std::erase_if(applied_, [&](const applied_hint& each) { return each.name == name; });
  if (has_room()) clipped_.push_back({cut(name), std::move(asked), std::move(given)});
}

void hint_report::revoke(std::string_view name, std::string_view reason) {
  if (std::erase_if(applied_, [&](const applied_hint& each) { return each.name == name; }) > 0) ignore(name, reason);
}

void hint_report::ignore(std::string_view spelling, std::string_view reason) {
  if (has_room()) ignored_.push_back({cut(spelling), std::string(reason)});
}

}  // namespace troupe::gateway
