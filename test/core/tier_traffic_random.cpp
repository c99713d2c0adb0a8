// Two devices over one host tier with messages that arrive late, copies that fail and tiers that are replaced: every answer is the one
// its sequence gets alone, whatever memory its blocks came from.
#include "engine/core/tier_traffic.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <set>

#include "engine/core/host_pool.hpp"
#include "engine/core/store_loader.hpp"
#include "messages/base/limits.hpp"
#include "test/support/tiered_device.hpp"

using namespace troupe;
using namespace troupe::core;

namespace {

/// Below the host: bytes by hash, that survive the host. It answers late, in any order, and not always the truth.
struct kept_blocks {
  std::vector<std::variant<store_find, store_get>> asked;

  std::map<std::uint64_t, std::vector<std::byte>> bytes;

  void put(const store_put& put, std::uint64_t block_bytes) {
    for (std::size_t i = 0; i < put.blocks.size(); ++i)
      bytes[put.blocks[i].identity.hash.low].assign(put.slots[i], put.slots[i] + block_bytes);
  }
  [[nodiscard]] std::uint32_t count(const tier_chain& chain, std::uint32_t from) const {
    std::uint32_t end = from;
    while (end < chain.blocks.size() && bytes.contains(chain.blocks[end].hash.low)) ++end;
    return end - from;
  }
  void get(const store_get& get, std::uint32_t arriving) {
    for (std::uint32_t i = 0; i < arriving; ++i) std::ranges::copy(bytes.at(get.chain->blocks[get.from + i].hash.low), get.slots[i]);
  }
};

enum class below_devices : std::uint8_t { nothing, tiers };

struct tier_world {
  explicit tier_world(std::uint64_t seed, below_devices what = below_devices::tiers) : random(seed), has_tiers(what == below_devices::tiers) {
    rig_options options{.blocks = 10 + below(30), .block_tokens = 1 + below(5), .vocabulary = 3 + below(40)};
    options.scheduling = {
        .step_tokens_max = 1 + below(30), .prefill_chunk_max = 1 + below(30), .running_max = 1 + below(6), .waiting_max = 12};
    options.retention = seed % 2 == 0 ? "lifecycle" : "lru";
    for (std::uint64_t i = 0; i < 2; ++i) {
      options.seed = 2 * seed + i;
      devices.push_back(std::make_unique<tiered_device>(options, i));
    }
    host_blocks = 1 + below(120);
    if (seed % 4 == 0) rule = offload_rule::on_eviction;
    replace_host();
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }
  tiered_device& any() { return *devices[below(2)]; }
  [[nodiscard]] std::uint64_t block_bytes() const { return devices[0]->rig.backend.traits().block_bytes; }
  const rig_options& options() { return devices[0]->rig.options; }

  void replace_host() {
    auto made = host_pool::make({host_blocks, options().block_tokens, block_bytes(), true, options().retention});
    REQUIRE(made);
    host = *std::move(made);
    loader = std::make_unique<store_loader>(*host);
    for (auto& store : stores) store.asked.clear();
    loader->change_stores({0, 1});
    store_numbers = {0, 1};
    answered.clear();
    putting.reset();
    given_up.clear();
    for (auto& each : devices) {
      if (!has_tiers) break;
      each->out.clear();  // what is under way to the old one is lost, what it has said may still arrive
      each->tiers.attach(host_blocks, rule);
      each->settle();
    }
  }
  void deliver(tiered_device& from) {
    if (from.out.empty()) return;
    const auto message = std::move(from.out.front());
    from.out.pop_front();
    std::visit([&](const auto& each) { take(from, each); }, message);
  }
  void take(tiered_device& from, const slot_request& request) { from.in.emplace_back(host->reserve(from.client, request)); }
  void take(tiered_device& from, const slot_commit& commit) { host->commit(from.client, commit); }
  void take(tiered_device& from, const lease_request& request) {
    loader->ask(from.client, request, from.rig.now);
    pass_on();
  }
  void pass_on() {
    auto told = loader->take_messages();
    const auto store_of = [this](std::uint64_t number) { return std::ranges::find(store_numbers, number) - store_numbers.begin(); };
    for (auto& [store, find] : told.finds) stores.at(store_of(store)).asked.emplace_back(std::move(find));
    for (auto& [store, get] : told.gets) stores.at(store_of(store)).asked.emplace_back(std::move(get));
    for (auto& [client, grant] : told.grants) devices[client]->in.emplace_back(std::move(grant));
  }
  /// One store answers one question, rarely twice or with too much; what it has comes whole or in part.
  void answer() {
    const auto at = below(2);
    auto& asked = stores[at].asked;
    if (asked.empty()) return;
    const auto which = below(static_cast<std::uint32_t>(asked.size()));
    const auto question = std::move(asked[which]);
    asked.erase(asked.begin() + which);
    for (std::uint32_t times = 1 + (below(10) == 0); times > 0; --times) std::visit([&](const auto& each) { answer(at, each); }, question);
    pass_on();
  }
  void answer(std::size_t at, const store_find& find) {
    const auto there = stores[at].count(*find.chain, find.from);
    loader->found(store_numbers[at], {find.load, below(20) == 0 ? there + 1000 : there}, now());
  }
  void answer(std::size_t at, const store_get& get) {
    const auto there = std::min(stores[at].count(*get.chain, get.from), static_cast<std::uint32_t>(get.slots.size()));
    const auto arriving = below(4) == 0 ? below(there + 1) : there;
    if (loader_awaits(get)) stores[at].get(get, arriving);
    loader->got(store_numbers[at], {get.load, arriving}, now());
  }
  /// The second time nobody may write any more.
  bool loader_awaits(const store_get& get) { return answered.insert(get.load).second; }
  /// A store ends and another takes its place, with the same blocks.
  void replace_store() {
    const auto at = below(2);
    stores[at].asked.clear();
    store_numbers[at] = ++stores_seen;
    loader->change_stores({store_numbers[0], store_numbers[1]});
    pass_on();
  }
  [[nodiscard]] instant now() const { return devices[0]->rig.now; }
  /// A put is under way between two of these; some are given up, and written later all the same.
  void put() {
    if (!given_up.empty() && below(2) == 0) {
      stores[below(2)].put(given_up.back(), block_bytes());
      host->end_given_up(given_up.back().transfer);
      given_up.pop_back();
    }
    if (putting && below(6) == 0) {
      host->give_up_put();
      given_up.push_back(*std::exchange(putting, std::nullopt));
    } else if (putting) {
      stores[below(2)].put(*putting, block_bytes());
      host->end_put(below(4) != 0);
      putting.reset();
    } else {
      putting = host->next_put();
    }
  }
  void take(tiered_device& from, const lease_end& end) { host->end(from.client, end); }
  void take(tiered_device& from, const chain_touch& touch) { host->touch(from.client, touch); }
  void take(tiered_device&, const turn_closing& closing) {
    loader->close_turn(closing.owner, closing.how.turn);
    host->finish(closing);
  }
  void take(tiered_device&, const turn_outlook& outlook) { host->apply(outlook); }

  void admit() {
    auto& device = any();
    const std::uint32_t capacity = options().blocks * options().block_tokens;
    // One in five starts as another did; the rest of the pool is what makes that one leave.
    std::vector<token_id> prompt(1 + below(std::min(capacity + capacity / 8, 60U)), static_cast<token_id>(below(5)));
    for (auto& token : prompt) token += static_cast<token_id>(below(30) == 0);
    auto asked = device.rig.spec(next_id++, std::move(prompt), 1 + below(12));
    asked.owner = {below(4)};
    asked.priority = static_cast<std::int32_t>(below(3));
    asked.sampling.seed = below(3);
    asked.output_tokens = below(13);
    if (below(8) == 0) asked.deadline = device.rig.now + instant(1 + below(60));
    if (device.admit(asked)) specs.emplace(asked.id.value, std::pair{&device, asked});
  }

  /// Of sequences: nobody cancels a prefetch.
  void cancel(tiered_device& device, std::uint64_t id) {
    if (specs.contains(id)) device.cancel(id);
  }
  void prefetch() {
    auto& device = any();
    std::vector<token_id> prompt(1 + below(40), static_cast<token_id>(below(5)));
    auto asked = device.rig.spec(next_id++, std::move(prompt), 1);
    asked.owner = {below(4)};
    if (device.rig.sched.refusal(asked)) return;
    ++prefetches;
    device.tiers.prefetch(std::move(asked), device.rig.now);
    device.settle();
  }

  void act() {
    switch (below(23)) {
      case 0:
      case 1:
        return admit();
      case 2:
      case 3:
      case 4:
        return any().plan();
      case 5:
      case 6:
      case 7:
        any().complete();
        return;
      case 8:
      case 9:
      case 10:
        return deliver(any());
      case 11:
      case 12:
        return any().hear();
      case 13: {
        const owner_id owner{below(4)};
        if (below(10) != 0) return;
        for (auto& each : devices) each->rig.pool.release_owner(owner);
        loader->release_owner(owner);
        host->release_owner(owner);
        return pass_on();
      }
      case 14:
        if (below(3) == 0) cancel(any(), below(static_cast<std::uint32_t>(next_id)));
        return;
      case 15:
        if (below(4) == 0) return forget();
        return put();
      case 16:
        any().tiers.demote({below(4)});
        return;
      case 17:
        return prefetch();
      case 18:
      case 19:
      case 20:
        return answer();
      case 21:
        if (below(20) == 0) replace_store();
        loader->expire(below(10) == 0 ? now() + limits::tier_wait : now());
        return pass_on();
      default:
        if (below(60) == 0) return replace_host();
        if (below(10) == 0) any().rig.fail_next = errc::io_failed;
        return;
    }
  }

  /// What some session has asked last is not wanted any more, on the devices and in the host tier.
  void forget() {
    if (specs.empty()) return;
    const auto& spec = std::next(specs.begin(), below(static_cast<std::uint32_t>(specs.size())))->second.second;
    const auto chain = std::span(spec.chain).subspan(below(static_cast<std::uint32_t>(spec.chain.size()) + 1));
    for (auto& each : devices) each->rig.pool.forget(spec.owner, chain, eviction_cause::rewind);
    host->forget_chain(spec.owner, chain, eviction_cause::rewind);
  }

  void finish() {
    for (int round = 0; round < 20'000; ++round) {
      bool is_idle = true;
      for (auto& each : devices) {
        deliver(*each);
        each->hear();
        each->plan();
        each->complete();
        is_idle = is_idle && !putting && given_up.empty() && loader->size() == 0 && each->rig.sched.idle() && each->tiers.quiet() && each->out.empty() &&
                  each->in.empty();
      }
      if (is_idle) return;
      put();
      answer();
    }
    FAIL("it does not come to rest");
  }

  void check_answers() {
    for (const auto& [id, asked] : specs) {
      CAPTURE(id);
      const auto& [device, spec] = asked;
      const auto [expected, reason] = device->rig.alone(spec);
      const auto& answer = device->rig.answers[id];
      REQUIRE(answer.reason.has_value());
      const bool filled = answer.reason == finish_reason::length &&
                          spec.tokens.size() + answer.tokens.size() == std::size_t{options().blocks} * options().block_tokens + 1;
      if (answer.reason == finish_reason::length && !filled) CHECK(answer.tokens == expected);
      REQUIRE(answer.tokens.size() <= expected.size());
      CHECK(std::equal(answer.tokens.begin(), answer.tokens.end(), expected.begin()));
    }
  }
  [[nodiscard]] std::string fault() const {
    for (const auto& each : devices)
      if (auto found = each->fault(); !found.empty()) return found;
    return host->check_integrity().value_or("");
  }

  std::mt19937_64 random;
  bool has_tiers;
  std::vector<std::unique_ptr<tiered_device>> devices;
  std::uint32_t host_blocks = 0;
  offload_rule rule = offload_rule::write_through;
  std::unique_ptr<host_pool> host;
  std::unique_ptr<store_loader> loader;
  std::array<kept_blocks, 2> stores;
  std::array<store_loader::store_id, 2> store_numbers{0, 1};
  store_loader::store_id stores_seen = 1;
  std::set<std::uint64_t> answered;  ///< gets
  std::optional<store_put> putting;
  std::vector<store_put> given_up;
  std::uint64_t next_id = 1, prefetches = 0;
  std::map<std::uint64_t, std::pair<tiered_device*, sequence_spec>> specs;
};

struct traffic_totals {
  std::uint64_t onboarded = 0, offloaded = 0, finished = 0, failures = 0, loaded = 0, preempted = 0;
};

traffic_totals play(below_devices what) {
  traffic_totals sum;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    CAPTURE(seed);
    tier_world world(seed, what);
    for (int step = 0; step < 400; ++step) {
      CAPTURE(step);
      world.act();
      for (auto& each : world.devices) each->rig.now += instant(1);
      REQUIRE(world.fault() == "");
    }
    world.finish();
    REQUIRE(world.fault() == "");
    world.check_answers();
    CHECK(world.devices[0]->prefetched + world.devices[1]->prefetched == world.prefetches);
    for (std::uint64_t owner = 0; owner < 4; ++owner) {
      for (auto& each : world.devices) each->rig.pool.release_owner({owner});
      world.host->release_owner({owner});
    }
    for (auto& each : world.devices) {
      CHECK(each->rig.pool.counts().free == each->rig.options.blocks);
      sum.onboarded += each->tiers.onboarded().blocks_onboarded;
      sum.failures += each->tiers.onboarded().failures;
      sum.offloaded += each->tiers.offloaded().blocks_offloaded;
      sum.preempted += each->rig.sched.load().preemptions;
      for (const auto& [id, answer] : each->rig.answers) sum.finished += answer.reason == finish_reason::length;
    }
    CHECK(world.host->counts().blocks.free == world.host_blocks);
    sum.loaded += world.host->counts().loaded;
  }
  return sum;
}

}  // namespace

// Each must have met what it is about.
TEST_CASE(
    "random traffic over a host tier and two stores that end, answer late, twice or too much: answers stay exact, everything comes back") {
  const auto met = play(below_devices::tiers);
  CHECK(met.offloaded > 5000);
  CHECK(met.onboarded > 500);
  CHECK(met.loaded > 20);  // into the last host of each world alone
  CHECK(met.failures > 2);
  CHECK(met.finished > 3000);
  CHECK(met.preempted > 100);
}

TEST_CASE("random traffic with no tier below: the same gate, the same answers") {
  const auto met = play(below_devices::nothing);
  CHECK(met.offloaded == 0);
  CHECK(met.finished > 3000);
  CHECK(met.preempted > 100);
}
