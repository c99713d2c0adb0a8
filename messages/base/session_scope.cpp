#include "messages/base/session_scope.hpp"

#include <algorithm>

#include "messages/base/limits.hpp"

namespace troupe {
namespace {

constexpr char separator = ' ';

bool is_of_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' || letter == '.';
}

}  // namespace

std::string check_tenant_name(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > limits::tenant_name_bytes_max)
    return "must be at most " + std::to_string(limits::tenant_name_bytes_max) + " bytes long";
  return std::all_of(name.begin(), name.end(), is_of_name) ? "" : "must be of lower-case letters, digits, '-', '_' and '.'";
}

session_id scoped_id(std::string_view tenant, const session_id& client_id) {
  if (client_id.value.empty() || tenant == default_tenant) return client_id;
  session_id scoped{std::string(tenant)};
  scoped.value.append(1, separator).append(client_id.value);
  return scoped;
}

std::string_view tenant_of(const session_id& scoped) noexcept {
  const std::string_view text = scoped.value;
  const auto end = text.find(separator);
  return end == text.npos ? default_tenant : text.substr(0, end);
}

std::string_view client_id_of(const session_id& scoped) noexcept {
  const std::string_view text = scoped.value;
  const auto end = text.find(separator);
  return end == text.npos ? text : text.substr(end + 1);
}

}  // namespace troupe
