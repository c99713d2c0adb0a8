// The OpenAPI document of what is served: openapi.json, compiled in.
#pragma once

#include <string_view>

namespace troupe::gateway {

extern const std::string_view openapi_document;

}  // namespace troupe::gateway
