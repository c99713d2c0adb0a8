#include "gateway/response_history.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iterator>

#include "gateway/reasoning_seal.hpp"
#include "gateway/response_store.hpp"
#include "gateway/responses_stream.hpp"
#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace json = boost::json;
namespace {

/// A response holds a request's values some levels deeper than the request did.
constexpr std::size_t stored_depth_max = limits::json_depth_max + 8;

json::value parse_stored(const std::string& text) {
  json::parse_options options;
  options.max_depth = stored_depth_max;
  return json::parse(text, {}, options);
}

json::array output_of(const store::stored_response& response) { return parse_stored(response.body).at("output").as_array(); }

/// What a client has sent without an id is listed under one that says where it lies.
json::array input_of(const store::stored_response& response) {
  auto items = parse_stored(response.input).as_array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto* item = items[i].if_object();
    if (item == nullptr || (item->contains("id") && item->at("id").is_string())) continue;
    (*item)["id"] = "item_" + response.id.substr(std::min(response.id.size(), response_prefix.size())) + std::to_string(i);
  }
  return items;
}

void append(json::array& to, json::array more) { std::ranges::move(more, std::back_inserter(to)); }

std::vector<const store::stored_response*> chain_of(const store::response_ptr& last) {
  std::vector<const store::stored_response*> chain;
  for (const auto* each = last.get(); each != nullptr; each = each->previous.get()) chain.push_back(each);
  std::ranges::reverse(chain);
  return chain;
}

}  // namespace

json::array input_items_of(const store::response_ptr& last) {
  json::array items;
  for (const auto* each : chain_of(last)) {
    append(items, input_of(*each));
    if (each != last.get()) append(items, output_of(*each));
  }
  return items;
}

json::array history_of(const store::response_ptr& last) {
  json::array items;
  for (const auto* each : chain_of(last)) {
    append(items, parse_stored(each->input).as_array());
    append(items, output_of(*each));
  }
  return items;
}

responses_sources sources_of(const route_context& context, const store::response_ptr& previous) {
  responses_sources sources;
  sources.history = history_of(previous);
  sources.can_store = context.options.responses != nullptr;
  const auto& tenant = context.who.tenant;
  if (const auto& kept = context.options.responses)
    sources.find_item = [kept, tenant, now_s = context.unix_s](std::string_view id) -> std::optional<json::value> {
      const auto response = kept->find(tenant, response_of_item(id), now_s);
      if (!response) return std::nullopt;
      for (const auto& item : output_of(*response))
        if (item.at("id") == json::string_view(id.data(), id.size())) return item;
      return std::nullopt;
    };
  sources.open_reasoning = opener_of(context);
  return sources;
}

}  // namespace troupe::gateway
