// Sixty-four agents at once, over real HTTP, for some seconds or a minute, while workers are killed. Afterwards nothing may be left:
// every request has ended, every block is free, the heap holds what it held.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

#include "messages/base/limits.hpp"
#include "test/node/whole_node.hpp"
#include "test/soak/soak_agent.hpp"
#include "test/soak/soak_report.hpp"

namespace troupe::test {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint32_t agents_max = 64;
constexpr double answered_share_min = 0.99;
// In use on the heap when everybody has died, beyond what was in use before anybody lived: the directory remembers up to ten thousand
// dead sessions by design, and queues and tables keep the room that they once needed.
constexpr double growth_mib_max = 24;
constexpr double dead_session_mib = 2.0 / 1024;
// CAF's clock keeps an actor until the last message that it holds for it is due.
constexpr double recent_session_mib = 4.0 / 1024;
// A minute's kills must leave the node restarts to spare: beyond limits::restarts_max it gives up, as it should.
constexpr int kills_max = limits::restarts_max - 2;

struct soak_options {
  unsigned seconds = 8;
  std::uint32_t seed = 1;
};

/// The pool is smaller than what the agents would like to keep: blocks are evicted and sequences preempted all the time.
node_wish wish() {
  node_wish made;
  made.worker_keys = "blocks = 768\nblock_tokens = 16\ncount = 2\n";
  made.sections = "[session]\nsessions_max = 10000\n[host_tier]\nbytes = 16777216\n";
  return made;
}

bool is_at_rest(const node_status& status) {
  return status.workers.size() == 2 && std::all_of(status.workers.begin(), status.workers.end(), [](const worker_status& each) {
           return each.running == 0 && each.waiting == 0 && each.blocks_leased == 0;
         });
}

bool is_all_free(const node_status& status) {
  const auto is_empty = [](const tier_status& tier) { return tier.blocks_free == tier.blocks_total; };
  return is_at_rest(status) && std::all_of(status.tiers.begin(), status.tiers.end(), is_empty) && std::all_of(status.workers.begin(), status.workers.end(),
                                           [](const worker_status& each) { return each.blocks_free == each.blocks_total; });
}

/// Collects what is wrong, so that one run tells all of it.
struct verdict {
  std::vector<std::string> problems;
  void expect(bool holds, const std::string& problem) {
    if (!holds) problems.push_back(problem);
  }
  void expect_integrity(const node_status& status) {
    for (const auto& each : status.workers)
      expect(each.integrity.empty(), "worker " + std::to_string(each.worker.value) + ": " + each.integrity);
    for (const auto& each : status.tiers) expect(each.integrity.empty(), "tier " + each.kind + ": " + each.integrity);
  }
};

/// Kills workers at even intervals, looks at the pools between them.
class disturber {
 public:
  disturber(whole_node& node, const soak_options& options, verdict& found)
      : node_(node), options_(options), found_(found), random_(options.seed) {}

  void run(clock::time_point begin) {
    const auto whole = milliseconds(options_.seconds * 1000U);
    const auto step = std::max(milliseconds{2000}, whole / kills_max);
    for (auto at = begin + step; at < begin + whole; at += step) {
      std::this_thread::sleep_until(at);
      try {
        found_.expect_integrity(node_.status());
        node_.kill(child::worker, random_() % 2);
        ++kills;
      } catch (const std::exception& error) {
        found_.expect(false, error.what());
      }
    }
  }

  int kills = 0;

 private:
  whole_node& node_;
  const soak_options& options_;
  verdict& found_;
  std::mt19937 random_;
};

/// Ends every session that the agents have left behind, and waits until the pools are empty.
void end_all(whole_node& node, verdict& found) {
  const auto listed = nlohmann::json::parse(node.ask("GET", "/v1/sessions?limit=100000").body);
  for (const auto& session : listed.at("data")) {
    const auto reply = node.ask("DELETE", "/v1/sessions/" + session.at("id").get<std::string>());
    found.expect(reply.status == 200 || reply.status == 409, "a death was answered " + std::to_string(reply.status) + ": " + reply.body);
  }
  try {
    node.status_once(is_at_rest);
    found.expect_integrity(node.status_once(is_all_free));
  } catch (const std::exception& error) {
    found.expect(false, error.what());
  }
}

int run(const soak_options& options) {
  whole_node node(wish());
  const auto heap_begin_mib = heap_mib();
  soak_report report;
  verdict found;
  disturber disturbing(node, options, found);
  const auto begin = clock::now();
  const auto until = begin + std::chrono::seconds(options.seconds);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < agents_max; ++i)
    threads.emplace_back([&, i] { soak_agent(node.port(), options.seed, i, report).run(until); });
  disturbing.run(begin);
  for (auto& each : threads) each.join();
  end_all(node, found);

  const auto counts = report.counts();
  const auto status = node.status();
  found.expect(counts.turns == counts.answered + counts.left + counts.failed(), "a turn has not ended");
  found.expect(counts.turns >= agents_max, "there were fewer turns than agents");
  found.expect(counts.answered_share() >= answered_share_min, "too many turns failed");
  found.expect(counts.verb_failures.empty(), "a verb failed");
  found.expect(disturbing.kills > 0 && status.restarts == static_cast<std::uint32_t>(disturbing.kills), "restarts differ from kills");
  found.expect(status.turns_running == 0 && status.sessions == 0, "something is left: " + describe(status));
  const auto heap_end_mib = heap_mib();
  const auto spawns = static_cast<double>(counts.spawns);
  [[maybe_unused]] const auto recent = spawns * std::min(1.0, std::chrono::duration<double>(limits::session_tick_max).count() / options.seconds);
  [[maybe_unused]] const auto remembered = std::min<double>(spawns, limits::dead_sessions_remembered);
#ifndef __SANITIZE_ADDRESS__  // which does not count
  const auto growth_max = growth_mib_max + remembered * dead_session_mib + recent * recent_session_mib;
  found.expect(heap_end_mib <= heap_begin_mib + growth_max, "the process has grown by more than " + std::to_string(growth_max) + " MiB");
#endif
  std::printf("soak: seed=%u seconds=%u agents=%u kills=%d %s share=%.4f heap_mib=%.0f/%.0f rss_mib=%.0f\n", options.seed, options.seconds,
              agents_max, disturbing.kills, describe(counts).c_str(), counts.answered_share(), heap_begin_mib, heap_end_mib, resident_mib());
  for (const auto& problem : found.problems) std::printf("problem: %s\n", problem.c_str());
  return found.problems.empty() ? 0 : 1;
}

}  // namespace
}  // namespace troupe::test

int main(int argc, char** argv) {
  troupe::test::soak_options options;
  CLI::App app{"Many agents against one node, with crashes"};
  app.add_option("--seconds", options.seconds, "How long agents begin turns")->check(CLI::Range(6U, 3600U));
  app.add_option("--seed", options.seed, "Of what the agents do");
  CLI11_PARSE(app, argc, argv);
  try {
    return troupe::test::run(options);
  } catch (const std::exception& error) {
    std::printf("soak: seed=%u ended early: %s\n", options.seed, error.what());
    return 1;
  }
}
