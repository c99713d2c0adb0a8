// What every endpoint that makes a turn does around their translation: identity, model, ids and the deadline.
#pragma once

#include <boost/json/object.hpp>

#include "gateway/client_turn.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

using turn_reader = std::function<expected<client_turn>(const boost::json::object& body)>;
using writer_factory = std::function<std::unique_ptr<answer_writer>(answer_shape shape)>;

route_result make_turn_job(const http_request& request, const route_context& context, const turn_reader& read, std::string_view id_prefix,
                           const writer_factory& make_writer);

/// `x-request-timeout-ms` within the options' bounds; invalid_request when it is no positive number.
expected<std::chrono::milliseconds> timeout_of(const http_request& request, const gateway_options& options);

}  // namespace troupe::gateway
