// GET /v1/models and /v1/models/{id}: one object that satisfies OpenAI's and Anthropic's clients alike.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdio>

#include "gateway/error_shape.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

/// RFC 3339 in UTC.
std::string date_of(std::int64_t unix_s) {
  using namespace std::chrono;
  const sys_seconds when{seconds(unix_s)};
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(when - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

json::object describe_model(const gateway_model& model) {
  return {{"id", model.name.value},
          {"object", "model"},
          {"created", model.created_s},
          {"owned_by", "troupe"},
          {"type", "model"},
          {"display_name", model.name.value},
          {"created_at", date_of(model.created_s)},
          {"max_model_len", model.context_length},
          {"context_length", model.context_length},
          {"max_input_tokens", model.context_length},
          {"max_tokens", model.context_length},
          {"lifecycle", "active"},
          {"capabilities", nullptr},
          {"line", nullptr},
          {"deprecated_at", nullptr},
          {"retires_at", nullptr}};
}

http_response as_response(const json::object& object) {
  http_response response;
  response.body = json::serialize(object);
  return response;
}

}  // namespace

route_result list_models(const http_request&, const path_arguments&, const route_context& context) {
  json::array data;
  for (const auto& model : context.options.models) data.push_back(describe_model(model));
  json::object list{{"object", "list"}, {"data", std::move(data)}, {"has_more", false}, {"first_id", nullptr}, {"last_id", nullptr}};
  if (!context.options.models.empty()) {
    list["first_id"] = context.options.models.front().name.value;
    list["last_id"] = context.options.models.back().name.value;
  }
  return as_response(list);
}

route_result get_model(const http_request&, const path_arguments& arguments, const route_context& context) {
  const auto model = model_of(context, arguments[0]);
  if (!model) return model.error();
  return as_response(describe_model(**model));
}

}  // namespace troupe::gateway
