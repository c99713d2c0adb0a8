#include "messages/base/session_scope.hpp"

#include <doctest/doctest.h>

using namespace troupe;

TEST_CASE("a session is scoped by its tenant and shown as its client calls it") {
  const auto scoped = scoped_id("acme", {"lead/1"});
  CHECK(scoped.value == "acme lead/1");
  CHECK(tenant_of(scoped) == "acme");
  CHECK(client_id_of(scoped) == "lead/1");
  CHECK(scoped != scoped_id("beta", {"lead/1"}));
}

TEST_CASE("sessions of the default tenant keep their names, and nobody has a session without a name") {
  CHECK(scoped_id(default_tenant, {"lead"}).value == "lead");
  CHECK(tenant_of({"lead"}) == "default");
  CHECK(client_id_of({"lead"}) == "lead");
  CHECK(scoped_id("acme", {}).value == "");
}

TEST_CASE("tenants have plain names") {
  for (const auto* good : {"a", "acme-2", "a.b_c", "default"}) CHECK(check_tenant_name(good) == "");
  for (const auto* bad : {"a b", "Acme", "a\n", "a/b", "\xc3\xa4"})
    CHECK(check_tenant_name(bad) == "must be of lower-case letters, digits, '-', '_' and '.'");
  CHECK(check_tenant_name("") == "must not be empty");
  CHECK(check_tenant_name(std::string(64, 'a')) == "");
  CHECK(check_tenant_name(std::string(65, 'a')) == "must be at most 64 bytes long");
}
