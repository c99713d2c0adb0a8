#include "gateway/openapi.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iterator>
#include <regex>
#include <set>

#include "gateway/routes.hpp"
#include "test/gateway/serving.hpp"

using namespace troupe;
using namespace troupe::gateway;

namespace {

const boost::json::object& document() {
  static const auto parsed = boost::json::parse(openapi_document).as_object();
  return parsed;
}

/// "GET /v1/sessions/{}" for each operation, whatever its arguments are called.
std::set<std::string> documented() {
  static const std::regex argument("\\{[^}]*\\}");
  const std::set<std::string_view> methods{"get", "post", "put", "delete", "patch"};
  std::set<std::string> operations;
  for (const auto& path : document().at("paths").as_object())
    for (const auto& member : path.value().as_object()) {
      if (!methods.contains(member.key())) continue;
      std::string method(member.key());
      std::transform(method.begin(), method.end(), method.begin(), [](char letter) { return static_cast<char>(letter - 'a' + 'A'); });
      operations.insert(method + " " + std::regex_replace(std::string(path.key()), argument, "{}"));
    }
  return operations;
}

std::set<std::string> served() {
  std::set<std::string> operations;
  for (const auto& route : served_routes()) {
    auto pattern = std::string(route.pattern);
    if (const auto rest = pattern.find("{*}"); rest != pattern.npos) pattern.replace(rest, 3, "{}");
    operations.insert(std::string(route.method) + " " + pattern);
  }
  return operations;
}

std::set<std::string> in_first_only(const std::set<std::string>& first, const std::set<std::string>& second) {
  std::set<std::string> rest;
  std::set_difference(first.begin(), first.end(), second.begin(), second.end(), std::inserter(rest, rest.end()));
  return rest;
}

/// What "#/components/schemas/Error" and the like name and is not there.
void find_dangling(const boost::json::value& value, std::set<std::string>& dangling) {
  if (const auto* list = value.if_array())
    for (const auto& each : *list) find_dangling(each, dangling);
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const auto& member : *object) {
    if (member.key() != "$ref") {
      find_dangling(member.value(), dangling);
      continue;
    }
    const std::string target(member.value().as_string());
    boost::system::error_code missing;
    boost::json::value(document()).find_pointer(target.substr(1), missing);
    if (missing) dangling.insert(target);
  }
}

}  // namespace

TEST_CASE("every route is in the OpenAPI document and every operation of the document is served") {
  CHECK(in_first_only(served(), documented()) == std::set<std::string>{});
  CHECK(in_first_only(documented(), served()) == std::set<std::string>{});
  CHECK(documented().contains("POST /v1/sessions/{}/events"));
}

TEST_CASE("every reference within the OpenAPI document leads somewhere") {
  std::set<std::string> dangling;
  find_dangling(document(), dangling);
  CHECK(dangling == std::set<std::string>{});
  CHECK(document().at("openapi").as_string() == "3.1.0");
}

TEST_CASE("the OpenAPI document is served as it was written") {
  http_request request;
  request.method = "GET";
  request.path = "/openapi.json";
  const auto options = test::test_options();
  const auto response = std::get<http_response>(dispatch(request, {options}));
  CHECK(response.status == 200);
  CHECK(response.content_type == "application/json");
  CHECK(response.body == openapi_document);
}
