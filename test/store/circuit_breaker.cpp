#include "engine/store/circuit_breaker.hpp"

#include <doctest/doctest.h>

using namespace troupe;
using namespace troupe::store;

TEST_CASE("the circuit breaker opens after failures in a row, probes after a doubling backoff, and closes on success") {
  using phase = circuit_breaker::phase;
  circuit_breaker breaker({2, 100, 350});
  CHECK(breaker.admits(0));
  breaker.failed(0);
  breaker.succeeded();
  breaker.failed(0);
  CHECK(breaker.state() == phase::closed);
  breaker.failed(10);
  CHECK(breaker.state() == phase::open);
  CHECK_FALSE(breaker.admits(109));
  CHECK(breaker.admits(110));
  CHECK(breaker.state() == phase::half_open);
  std::int64_t now = 110;
  for (const std::int64_t backoff : {200, 350, 350}) {
    breaker.failed(now);
    CHECK_FALSE(breaker.admits(now + backoff - 1));
    now += backoff;
    CHECK(breaker.admits(now));
  }
  breaker.succeeded();
  CHECK(breaker.state() == phase::closed);
  breaker.failed(now);
  breaker.failed(now);
  CHECK_FALSE(breaker.admits(now));
  CHECK(breaker.admits(now - 1));  // the clock was set back
  CHECK(breaker.openings() == 5);
}
