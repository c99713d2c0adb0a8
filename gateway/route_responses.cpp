// /v1/responses: OpenAI's Responses protocol, with what is stored of it.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>

#include "gateway/response_history.hpp"
#include "gateway/response_store.hpp"
#include "gateway/responses_request.hpp"
#include "gateway/responses_stream.hpp"
#include "gateway/token_count.hpp"
#include "gateway/turn_route.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

store::response_ptr find_response(const route_context& context, std::string_view id) {
  return context.options.responses ? context.options.responses->find(context.who.tenant, id, context.unix_s) : nullptr;
}

failure unknown_response(const std::string& id) {
  return {errc::not_found, "there is no response '" + id + "': it was not stored, was deleted, or is too old", "response_id"};
}

failure unknown_previous(const std::string& id) {
  return {errc::previous_response_not_found, "there is no response '" + id + "' to go on from", "previous_response_id"};
}

/// The response, then the end of its answer: a client that has seen the end can go on from it, or has read that it is not stored.
void keep(turn_job& job, const route_context& context, responses_writer& writer, store::stored_response record) {
  job.before_end = [&writer, record = std::move(record), kept = context.options.responses](
                       const turn_finished& event, std::function<void(end_preparation)> then) mutable {
    record.body = writer.response(event);
    kept->put(std::move(record), [then = std::move(then)](response_store::keeping how) {
      then(how == response_store::keeping::kept ? end_preparation::done : end_preparation::refused);
    });
  };
  job.unprepared = [&writer] { writer.note_unstored(); };
}

struct read_previous {
  std::string id;
  store::response_ptr response;  ///< null with an id: unknown
};

read_previous previous_of(const route_context& context, const json::object& body) {
  auto id = previous_response_of(body);
  auto response = id.empty() ? nullptr : find_response(context, id);
  return {std::move(id), std::move(response)};
}

http_response json_response(std::string body) {
  http_response response;
  response.body = std::move(body);
  return response;
}

}  // namespace

route_result create_response(const http_request& request, const path_arguments&, const route_context& context) {
  auto body = parse_object(request.body);
  if (!body) return body.error();
  const auto previous = previous_of(context, *body);
  if (!previous.id.empty() && !previous.response) return unknown_previous(previous.id);
  const auto wish = std::make_shared<responses_wish>();
  responses_writer* writer = nullptr;
  store::stored_response record;
  const auto read = [&](const json::object& object) -> expected<client_turn> {
    auto translated = read_responses_request(object, sources_of(context, previous.response));
    if (!translated) return translated.error();
    *wish = std::move(translated->wish);
    if (previous.response) translated->client.wish.continues.value = previous.response->session;
    return std::move(translated->client);
  };
  const auto make_writer = [&](answer_shape shape) -> std::unique_ptr<answer_writer> {
    record.id = shape.id;
    record.session = shape.session.value;
    record.created_s = shape.created_s;
    auto made = make_responses_writer(std::move(shape), wish, sealer_of(context));
    writer = made.get();
    return made;
  };
  auto result = make_turn_job(request, context, read, response_prefix, make_writer);
  auto* job = std::get_if<turn_job>(&result);
  if (job == nullptr || !wish->store) return result;
  record.tenant = context.who.tenant;
  record.previous = previous.response;
  record.input = json::serialize(std::exchange(wish->input, {}));
  keep(*job, context, *writer, std::move(record));
  return result;
}

route_result count_response_tokens(const http_request& request, const path_arguments&, const route_context& context) {
  if (const auto refused = check_countable(request)) return *refused;
  const auto body = parse_object(request.body);
  if (!body) return body.error();
  const auto previous = previous_of(context, *body);
  if (!previous.id.empty() && !previous.response) return unknown_previous(previous.id);
  const auto translated = read_input_tokens_request(*body, sources_of(context, previous.response));
  if (!translated) return translated.error();
  return make_count_job(context, *translated, R"({"object":"response.input_tokens",)");
}

route_result get_response(const http_request& request, const path_arguments& arguments, const route_context& context) {
  const auto found = find_response(context, arguments[0]);
  if (!found) return unknown_response(arguments[0]);
  if (request.parameter("stream").value_or("false") == "true")
    return failure{errc::unsupported_parameter, "'stream' is not offered here: a stored response is whole", "stream"};
  return json_response(found->body);
}

route_result delete_response(const http_request&, const path_arguments& arguments, const route_context& context) {
  const auto& kept = context.options.responses;
  if (!kept) return unknown_response(arguments[0]);
  deferred_job job;
  job.begin = [kept, id = arguments[0], tenant = context.who.tenant, now_s = context.unix_s](
                  std::function<void(expected<http_response>)> then) {
    kept->remove(tenant, id, now_s, [id, then = std::move(then)](const expected<bool>& removed) {
      if (!removed) return then(removed.error());
      if (!*removed) return then(unknown_response(id));
      then(json_response(json::serialize(json::object{{"id", id}, {"object", "response"}, {"deleted", true}})));
    });
  };
  return job;
}

route_result cancel_response(const http_request&, const path_arguments& arguments, const route_context& context) {
  if (!find_response(context, arguments[0])) return unknown_response(arguments[0]);
  return failure{errc::invalid_request, "the response is finished: it was not made in the background, where it could be cancelled",
                 "response_id"};
}

route_result list_response_items(const http_request& request, const path_arguments& arguments, const route_context& context) {
  const auto found = find_response(context, arguments[0]);
  if (!found) return unknown_response(arguments[0]);
  std::size_t limit = 20;
  if (const auto text = request.parameter("limit")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (error != std::errc{} || end != text->data() + text->size() || limit == 0 || limit > limits::response_items_listed_max)
      return failure{errc::invalid_request, "'limit' must be between 1 and " + std::to_string(limits::response_items_listed_max), "limit"};
  }
  const auto order = request.parameter("order").value_or("desc");
  if (order != "asc" && order != "desc") return failure{errc::invalid_request, "'order' must be 'asc' or 'desc'", "order"};
  auto items = input_items_of(found);
  if (order == "desc") std::ranges::reverse(items);
  auto begin = items.begin();
  if (const auto after = request.parameter("after")) {
    begin = std::ranges::find_if(items, [&](const json::value& item) { return item.at("id") == json::string_view(*after); });
    if (begin == items.end()) return failure{errc::invalid_request, "'after' names no item of this response", "after"};
    ++begin;
  }
  const auto end = begin + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(limit), items.end() - begin);
  json::array data(begin, end);
  const auto id_at = [&data](std::size_t i) { return data.empty() ? json::value(nullptr) : data[i].at("id"); };
  json::object list{{"object", "list"}, {"first_id", id_at(0)}, {"last_id", id_at(data.size() - 1)}, {"has_more", end != items.end()}};
  list["data"] = std::move(data);
  return json_response(json::serialize(list));
}

}  // namespace troupe::gateway
