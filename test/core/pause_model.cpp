#include "engine/core/retention/pause_model.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <random>

#include "messages/base/limits.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

/// A tool whose pauses are lognormal about `median_s`.
struct tool_law {
  std::string name;
  double median_s, sigma;
  [[nodiscard]] pause_kind kind() const { return {tool_of({name}), false}; }
  [[nodiscard]] double quantile(double z) const { return median_s * std::exp(z * sigma); }
};

const tool_law read_file{"read", 0.5, 0.4}, run_tests{"test", 20, 0.5}, build{"build", 120, 0.6};
constexpr double z_tenth = 1.2816;  // of the normal law: a tenth lies below its negative, a tenth above it

double pause(const tool_law& law, std::mt19937& rng) { return law.median_s * std::exp(law.sigma * std::normal_distribution()(rng)); }

/// Reads six times out of ten, tests three times, builds once.
const tool_law& any_tool(std::mt19937& rng) {
  const auto draw = rng() % 10;
  return draw < 6 ? read_file : draw < 9 ? run_tests : build;
}

/// The quotient of two times, the larger by the smaller.
double factor(double a, double b) { return a > b ? a / b : b / a; }

struct forecast_figures {
  double log_error = 0;  ///< the mean |log(median / pause)|
  double early = 0;      ///< the share of pauses that ended before early_s
};

/// Over the last 300 of 600 pauses, each forecast before it is learned.
forecast_figures play(std::uint32_t seed, const std::function<double(double pause_s, std::mt19937&)>& hint) {
  std::mt19937 pauses(seed), hints(seed + 1);
  pause_model model;
  forecast_figures figures;
  for (int i = 0; i < 600; ++i) {
    const tool_law& tool = any_tool(pauses);
    const double seconds = pause(tool, pauses), hint_s = hint(seconds, hints);
    const auto told = model.forecast(tool.kind(), hint_s);
    if (i >= 300) {
      figures.log_error += std::abs(std::log(told->median_s / seconds)) / 300;
      figures.early += (seconds < told->early_s ? 1.0 : 0.0) / 300;
    }
    model.record(tool.kind(), seconds, hint_s);
  }
  return figures;
}

double no_hint(double, std::mt19937&) { return -1; }

}  // namespace

TEST_CASE("nothing known is no forecast, and a hint alone is a law around it") {
  pause_model model;
  CHECK_FALSE(model.forecast({}));
  CHECK_FALSE(model.forecast(build.kind(), -1, 20));
  const auto told = model.forecast(build.kind(), 60);
  REQUIRE(told);
  CHECK(told->median_s == doctest::Approx(60).epsilon(0.02));
  CHECK(told->early_s == doctest::Approx(60 / 3.16).epsilon(0.1));
  CHECK(told->late_s == doctest::Approx(60 * 3.16).epsilon(0.1));
  CHECK(told->weight == 0);
}

TEST_CASE("what is no time teaches nothing") {
  pause_model model;
  model.record(build.kind(), -1);
  model.record(build.kind(), std::nan(""));
  model.record(build.kind(), INFINITY, 3);
  CHECK(model.tools() == 0);
  CHECK_FALSE(model.forecast(build.kind()));
  CHECK_FALSE(model.forecast(build.kind(), std::nan("")));
}

TEST_CASE("tools are told apart by their names, not by order or number of calls") {
  CHECK(tool_of({}) == 0);
  CHECK(tool_of({"a", "b", "a"}) == tool_of({"b", "a"}));
  CHECK(tool_of({"a", "b"}) != tool_of({"ab"}));
}

TEST_CASE("after 400 pauses the quantiles of each tool are learned") {
  constexpr int seeds = 50;
  for (const tool_law& tool : {read_file, run_tests, build}) {
    CAPTURE(tool.name);
    std::array<double, 3> bias{}, square{};  // of the logarithms of learned by true
    for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
      std::mt19937 rng(seed);
      pause_model model;
      for (int i = 0; i < 400; ++i) {
        const tool_law& any = any_tool(rng);
        model.record(any.kind(), pause(any, rng));
      }
      const auto told = model.forecast(tool.kind());
      REQUIRE(told);
      const std::array off{std::log(told->early_s / tool.quantile(-z_tenth)), std::log(told->median_s / tool.median_s),
                           std::log(told->late_s / tool.quantile(z_tenth))};
      for (std::size_t i = 0; i < off.size(); ++i) {
        bias[i] += off[i] / seeds;
        square[i] += off[i] * off[i] / seeds;
      }
    }
    for (std::size_t i = 0; i < bias.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(bias[i]) < 0.05);
      CHECK(std::sqrt(square[i]) < 0.25);  // within 28 % of the true one, as 40 pauses of a build allow
    }
  }
}

TEST_CASE("a tool never seen takes the law of all, and leaves it as it is seen") {
  std::mt19937 rng(5);
  pause_model model;
  for (int i = 0; i < 400; ++i) model.record(run_tests.kind(), pause(run_tests, rng));
  const auto all = model.forecast({}), fresh = model.forecast(build.kind());
  CHECK(fresh->median_s == all->median_s);
  CHECK(factor(fresh->median_s, 20) < 1.2);
  for (int i = 0; i < 3; ++i) model.record(build.kind(), 120);
  CHECK(factor(model.forecast(build.kind())->median_s, 120) < 1.1);
  CHECK(model.forecast(build.kind())->early_s < 60);  // three pauses do not rule the others out
  for (int i = 0; i < 12; ++i) model.record(build.kind(), 120);
  CHECK(factor(model.forecast(build.kind())->early_s, 120) < 1.1);
}

TEST_CASE("a subagent's pauses are its own once there are some") {
  pause_model model;
  const pause_kind main = run_tests.kind(), sub{main.tool, true};
  for (int i = 0; i < 40; ++i) model.record(main, 100);
  CHECK(factor(model.forecast(sub)->median_s, 100) < 1.1);
  for (int i = 0; i < 20; ++i) model.record(sub, 1);
  CHECK(factor(model.forecast(sub)->median_s, 1) < 1.1);
  CHECK(factor(model.forecast(main)->median_s, 100) < 1.1);
}

TEST_CASE("a law that changes is followed within 80 pauses") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 rng(seed);
    pause_model model;
    const tool_law before{"test", 2, 0.5};
    for (int i = 0; i < 300; ++i) model.record(before.kind(), pause(before, rng));
    for (int i = 0; i < 80; ++i) model.record(run_tests.kind(), pause(run_tests, rng));
    const auto told = model.forecast(run_tests.kind());
    CHECK(factor(told->median_s, run_tests.median_s) < 1.4);
    CHECK(factor(told->late_s, run_tests.quantile(z_tenth)) < 1.6);
    CHECK(told->early_s > 4);  // most of the first law lies below
  }
}

TEST_CASE("what has passed is part of the pause, and what outlives all is expected to last as long again") {
  std::mt19937 rng(3);
  pause_model model;
  for (int i = 0; i < 100; ++i) {
    model.record(run_tests.kind(), 2);
    model.record(run_tests.kind(), 60);
  }
  const auto fresh = model.forecast(run_tests.kind()), later = model.forecast(run_tests.kind(), -1, 5);
  CHECK(factor(fresh->early_s, 2) < 1.1);
  CHECK(factor(later->early_s, 60) < 1.1);
  CHECK(factor(later->late_s, 60) < 1.1);
  const auto beyond = model.forecast(run_tests.kind(), -1, 500);
  CHECK(factor(beyond->early_s, 500 / 0.9) < 1.1);
  CHECK(factor(beyond->median_s, 500 / 0.5) < 1.1);
  CHECK(factor(beyond->late_s, 500 / 0.1) < 1.1);
  for (const double elapsed_s : {0.0, 0.01, 1.0, 59.0, 61.0, 1e5, 1e9}) {
    const auto told = model.forecast(run_tests.kind(), 10, elapsed_s);
    CHECK(told->early_s >= elapsed_s);
    CHECK(told->median_s >= told->early_s);
    CHECK(told->late_s >= told->median_s);
  }
}

TEST_CASE("hints help as far as they have been right, and lies hurt by a tenth at most") {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    const auto without = play(seed, no_hint);
    const auto exact = play(seed, [](double s, auto&) { return s; });
    const auto halved = play(seed, [](double s, auto&) { return s / 2; });
    const auto noisy = play(seed, [](double s, auto& rng) { return s * std::exp(0.2 * std::normal_distribution()(rng)); });
    const auto constant = play(seed, [](double, auto&) { return 30.0; });
    const auto random = play(seed, [](double, auto& rng) { return std::exp(std::uniform_real_distribution(-2.0, 6.0)(rng)); });
    const auto inverse = play(seed, [](double s, auto&) { return 100 / s; });
    CHECK(exact.log_error < 0.05);
    CHECK(halved.log_error < 0.05);
    CHECK(noisy.log_error < 0.7 * without.log_error);
    for (const auto& useless : {constant, random, inverse}) CHECK(useless.log_error < 1.1 * without.log_error);
    for (const auto& each : {without, noisy, constant, random, inverse}) {
      CHECK(each.early > 0.03);
      CHECK(each.early < 0.19);
    }
  }
}

TEST_CASE("a hint for a tool never seen is worth what hints for others were") {
  std::mt19937 rng(9);
  pause_model model;
  for (int i = 0; i < 200; ++i) {
    const double seconds = pause(run_tests, rng);
    model.record(run_tests.kind(), seconds, seconds / 3);
  }
  CHECK(factor(model.forecast(build.kind(), 40)->median_s, 120) < 1.1);
}

TEST_CASE("of too many tools the one that paused longest ago is forgotten") {
  pause_model model;
  for (std::uint64_t tool = 1; tool <= limits::pause_tools_max; ++tool) {
    for (int i = 0; i < 20; ++i) model.record({tool}, 1);
  }
  for (int i = 0; i < 20; ++i) model.record({1}, 300);
  model.record({limits::pause_tools_max + 1}, 1);
  CHECK(model.tools() == limits::pause_tools_max);
  const double all = model.forecast({})->late_s;
  CHECK(model.forecast({2})->late_s == all);
  CHECK(model.forecast({1})->late_s != all);
}
