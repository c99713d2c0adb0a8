// GET /openapi.json: what is served, for programs that make clients, and for the tests that hold real answers against it.
#include "gateway/openapi.hpp"
#include "gateway/routes.hpp"

namespace troupe::gateway {

route_result get_openapi(const http_request&, const path_arguments&, const route_context&) {
  http_response response;
  response.body = openapi_document;
  return response;
}

}  // namespace troupe::gateway
