#include "gateway/identity.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <boost/json/value.hpp>
#include <stdexcept>
#include <utility>

#include "gateway/client_identity.hpp"
#include "gateway/hint_clipping.hpp"
#include "gateway/hint_sources.hpp"
#include "gateway/json_text.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

constexpr std::size_t request_id_bytes_max = 128;

const json::object* hints_of(const json_reader& body) {
  if (const auto* hints = body.object("agent_hints")) return hints;
  const auto* extension = body.find("nvext");
  const auto* members = extension == nullptr ? nullptr : extension->if_object();
  const auto* hints = members == nullptr ? nullptr : members->if_contains("agent_hints");
  return hints == nullptr ? nullptr : hints->if_object();
}

/// A member of the hints, or of one of their groups.
template <class Read>
void read_either(const json_reader& hints, std::string_view group, std::string_view in_group, std::string_view spelled, Read read) {
  if (const auto* inner = hints.find(group); inner != nullptr && inner->is_object()) {
    if (read(json_reader(inner->get_object(), hints.path_of(group), hints.failed()), in_group)) return;
  }
  read(hints, spelled);
}

void read_id(const http_request& request, std::string_view header, const json_reader* hints, std::string_view in_group,
             std::string_view spelled, session_id& id, first_failure& failed) {
  std::string param(header);
  id.value = request.field(header);
  if (id.value.empty() && hints != nullptr) {
    const auto read = [&](const json_reader& reader, std::string_view key) {
      if (!reader.read(key, id.value)) return false;
      param = reader.path_of(key);
      return true;
    };
    read_either(*hints, "id", in_group, spelled, read);
    if (param == header) return;
  } else if (id.value.empty()) {
    return;
  }
  if (const auto why = check_session_id(id.value); !why.empty()) failed.report(errc::invalid_request, "'" + param + "' " + why, param);
}

void take_client_name(const http_request& request, const json::object& body, turn_identity& identity) {
  auto name = read_client_name(request, body);
  if (name.source.empty() || !check_session_id(name.session).empty()) return;
  identity.session.value = std::move(name.session);
  if (identity.parent.value.empty() && check_session_id(name.parent).empty()) identity.parent.value = std::move(name.parent);
  identity.hints.final_turn |= name.is_final;
}

}  // namespace

std::uint64_t draw_random() {
  // Drawn ahead: a call into the kernel for each id would cost more than reading the request.
  thread_local std::array<std::uint64_t, 32> drawn;
  thread_local std::size_t left = 0;
  if (left == 0) {
    if (getrandom(drawn.data(), sizeof(drawn), 0) != sizeof(drawn)) throw std::runtime_error("the system gives no random numbers");
    left = drawn.size();
  }
  return std::exchange(drawn[--left], 0);
}

std::string draw_name(const random_source& draw) {
  auto name = hex_of(draw());
  name += hex_of(draw());
  return name;
}

std::string check_session_id(std::string_view id) {
  if (id.empty()) return "must not be empty";
  if (id.size() > limits::session_id_bytes_max) return "must be at most " + std::to_string(limits::session_id_bytes_max) + " bytes long";
  const bool printable = std::all_of(id.begin(), id.end(), [](char letter) { return letter > 0x20 && letter < 0x7F; });
  return printable ? "" : "must be printable ASCII without spaces";
}

expected<turn_identity> read_identity(const http_request& request, const json::object& object, const random_source& draw,
                                      const hint_policy& policy) {
  first_failure failed;
  const json_reader body(object, "", failed);
  turn_identity result;
  result.told = read_all_hints(request, object, failed);
  clip_hints(result.told, policy);
  result.hints = result.told.hints;
  const auto* members = hints_of(body);
  std::optional<json_reader> hints;
  if (members != nullptr) hints.emplace(*members, body.find("agent_hints") != nullptr ? "agent_hints" : "nvext.agent_hints", failed);
  read_id(request, "x-session-id", hints ? &*hints : nullptr, "session", "session_id", result.session, failed);
  read_id(request, "x-parent-session-id", hints ? &*hints : nullptr, "parent", "parent", result.parent, failed);
  if (failed.any()) return failed.get();
  if (result.session.value.empty()) take_client_name(request, object, result);
  result.is_named = !result.session.value.empty();
  result.is_final = result.hints.final_turn;
  if (!result.is_named) {
    result.session.value = "once-" + draw_name(draw);
    result.hints.final_turn = true;
  }
  if (result.session == result.parent) return failure{errc::invalid_request, "a session cannot be its own parent", "x-parent-session-id"};
  return result;
}

std::string request_id_of(const http_request& request, const random_source& draw) {
  const auto id = request.field("x-request-id");
  const bool plain = std::all_of(id.begin(), id.end(), [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           std::string_view("-_.:/+=").find(letter) != std::string_view::npos;
  });
  if (!id.empty() && id.size() <= request_id_bytes_max && plain) return std::string(id);
  return "req-" + hex_of(draw());
}

}  // namespace troupe::gateway
