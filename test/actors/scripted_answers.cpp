#include "actors/scripted_answers.hpp"

#include <doctest/doctest.h>

using troupe::actors::scripted_answers;

TEST_CASE("the seed chooses an answer, which is told from wherever its first position lies") {
  scripted_answers script({{10, 11, 12}, {20}}, 99);
  CHECK(script.at(0, 50) == 10);
  CHECK(script.at(1, 7) == 20);
  CHECK(script.at(0, 51) == 11);
  CHECK(script.at(3, 30) == 20);
  CHECK(script.at(0, 52) == 12);
  CHECK(script.at(0, 53) == 99);
  CHECK(script.at(1, 8) == 99);
}

TEST_CASE("an answer begins anew at a position that does not follow, and after its end") {
  scripted_answers script({{10, 11}}, 99);
  CHECK(script.at(0, 5) == 10);
  CHECK(script.at(0, 90) == 10);
  CHECK(script.at(0, 91) == 11);
  CHECK(script.at(0, 92) == 99);
  CHECK(script.at(0, 93) == 10);
}
