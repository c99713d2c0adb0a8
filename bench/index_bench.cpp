// The prefix index on a recorded workload: every worker stores what it computes and evicts the least recently used block beyond its
// capacity. With the Mooncake conversation trace (JSON lines) the checksums of each configuration are known and compared.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <queue>
#include <unordered_map>

#include "bench/report.hpp"
#include "engine/core/prefix_index.hpp"

using namespace troupe;
using core::holder_match;
using core::prefix_index;

namespace {

/// workers, blocks made of one id, copies of the trace with ids of their own, capacity of a worker in blocks.
struct shape {
  std::uint32_t workers, split, copies, capacity;
  std::uint64_t checksum_in_order, checksum_final;  ///< on the full trace; 0: not known
};

struct operation {
  enum class kind : std::uint8_t { lookup, store, remove } what;
  std::uint32_t worker = 0;
  std::uint64_t parent = 0;
  std::vector<std::uint64_t> symbols;  ///< of a lookup
  std::vector<prefix_index::entry> entries;
  std::vector<std::uint64_t> ids;      ///< of a remove
};

struct workload {
  std::vector<operation> operations;
  std::uint64_t lookups = 0, lookup_blocks = 0, stored = 0, removed = 0;
};

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
  return x ^ x >> 31;
}

/// What one worker holds, with the order of last use.
struct holdings {
  std::unordered_map<std::uint64_t, std::uint64_t> stamps;
  std::priority_queue<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::pair<std::uint64_t, std::uint64_t>>, std::greater<>> order;
  std::uint64_t now = 0;

  void touch(std::uint64_t id) {
    stamps[id] = now;
    order.emplace(now++, id);
  }
  std::vector<std::uint64_t> evict(std::size_t capacity) {
    std::vector<std::uint64_t> gone;
    while (stamps.size() > capacity) {
      const auto [stamp, id] = order.top();
      order.pop();
      const auto found = stamps.find(id);
      if (found == stamps.end() || found->second != stamp) continue;  // used again since
      stamps.erase(found);
      gone.push_back(id);
    }
    return gone;
  }
};

using requests = std::vector<std::vector<std::uint32_t>>;

requests read_trace(std::istream& input) {
  requests result;
  for (std::string line; std::getline(input, line);) result.push_back(nlohmann::json::parse(line).at("hash_ids").get<std::vector<std::uint32_t>>());
  return result;
}

/// A trace of our own for --small: chains that branch from one root.
requests made_trace(std::uint32_t count) {
  requests result;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::vector<std::uint32_t> ids{0};
    for (std::uint32_t depth = 1, node = 0; depth < 24; ++depth) ids.push_back(node = node * 3 + 1 + (mix(i * 64 + depth) & 1));
    for (auto& id : ids) id &= 0xfffffff;
    result.push_back(std::move(ids));
  }
  return result;
}

void hash_chain(const std::vector<std::uint32_t>& hash_ids, const shape& config, std::uint32_t offset, std::vector<std::uint64_t>& symbols,
                std::vector<std::uint64_t>& chain) {
  symbols.clear();
  chain.clear();
  std::vector<std::uint32_t> tokens(512 / config.split);
  for (const auto id : hash_ids)
    for (std::uint32_t part = 0; part < config.split; ++part) {
      std::fill(tokens.begin(), tokens.end(), id * config.split + part + offset);
      const auto symbol = XXH3_64bits_withSeed(tokens.data(), tokens.size() * sizeof(tokens[0]), 1337);
      const std::array<std::uint64_t, 2> link{chain.empty() ? 0 : chain.back(), symbol};
      chain.push_back(chain.empty() ? symbol : XXH3_64bits_withSeed(link.data(), sizeof(link), 1337));
      symbols.push_back(symbol);
    }
}

workload make_workload(const requests& trace, const shape& config) {
  std::uint32_t id_max = 0;
  for (const auto& ids : trace)
    for (const auto id : ids) id_max = std::max(id_max, id);
  workload result;
  std::vector<holdings> workers(config.workers);
  std::vector<std::uint64_t> symbols, chain;
  for (std::size_t line = 0; line < trace.size(); ++line)
    for (std::uint32_t copy = 0; copy < config.copies; ++copy) {
      hash_chain(trace[line], config, copy * (id_max + 1) * config.split, symbols, chain);
      const auto worker = static_cast<std::uint32_t>(mix(42 + line * config.copies + copy) % config.workers);
      auto& held = workers[worker];
      result.operations.push_back({operation::kind::lookup, worker, 0, symbols, {}, {}});
      result.lookups += 1;
      result.lookup_blocks += symbols.size();
      std::size_t known = 0;
      while (known < chain.size() && held.stamps.count(chain[known]) != 0) ++known;
      if (known < chain.size()) {
        operation store{operation::kind::store, worker, known > 0 ? chain[known - 1] : 0, {}, {}, {}};
        for (auto i = known; i < chain.size(); ++i) store.entries.push_back({symbols[i], chain[i]});
        result.stored += store.entries.size();
        result.operations.push_back(std::move(store));
      }
      for (auto i = chain.size(); i-- > 0;) held.touch(chain[i]);
      if (auto gone = held.evict(config.capacity); !gone.empty()) {
        result.removed += gone.size();
        result.operations.push_back({operation::kind::remove, worker, 0, {}, {}, std::move(gone)});
      }
    }
  return result;
}

std::uint64_t checksum_of(const std::vector<holder_match>& matches) {
  std::uint64_t sum = 0;
  for (const auto& match : matches) sum += static_cast<std::uint64_t>(match.blocks) * (match.holder + 1);
  return sum;
}

void apply(prefix_index& index, const operation& op) {
  if (op.what == operation::kind::store) index.store(op.worker, op.parent, op.entries);
  if (op.what == operation::kind::remove) index.remove(op.worker, op.ids);
}

/// All operations in order; with `lookups` the sum of r * result over the lookups r = 1, 2, ...
std::uint64_t play(prefix_index& index, const workload& work, bool lookups) {
  std::uint64_t sum = 0, number = 0;
  std::vector<holder_match> matches;
  for (const auto& op : work.operations) {
    apply(index, op);
    if (!lookups || op.what != operation::kind::lookup) continue;
    matches.clear();
    index.lookup(op.symbols, matches);
    sum += ++number * checksum_of(matches);
  }
  return sum;
}

std::uint64_t look_up_all(const prefix_index& index, const workload& work) {
  std::uint64_t sum = 0, number = 0;
  std::vector<holder_match> matches;
  for (const auto& op : work.operations) {
    if (op.what != operation::kind::lookup) continue;
    matches.clear();
    index.lookup(op.symbols, matches);
    sum += ++number * checksum_of(matches);
  }
  return sum;
}

bool run(const requests& trace, const shape& config, bool known, int repeats) {
  const auto work = make_workload(trace, config);
  std::vector<double> build_s, lookup_s, mixed_s;
  std::uint64_t in_order = 0, final_sum = 0;
  for (int i = 0; i < repeats; ++i) {
    prefix_index built, mixed;
    build_s.push_back(bench::seconds_of([&] { play(built, work, false); }));
    lookup_s.push_back(bench::seconds_of([&] { final_sum = look_up_all(built, work); }));
    mixed_s.push_back(bench::seconds_of([&] { in_order = play(mixed, work, true); }));
  }
  const bool right = !known || (in_order == config.checksum_in_order && final_sum == config.checksum_final);
  const double build = bench::median(build_s), lookup = bench::median(lookup_s), mixed = bench::median(mixed_s);
  std::printf("c%u_W%-4u build %6.2f Mblk/s | lookup %7.0f k/s %6.1f Mblk/s | mixed %6.2f Mop/s | in-order %#llx final %#llx %s\n",
              config.split * config.copies, config.workers, (work.stored + work.removed) / build / 1e6, work.lookups / lookup / 1e3,
              work.lookup_blocks / lookup / 1e6, (work.lookups + work.lookup_blocks + work.stored + work.removed) / mixed / 1e6,
              static_cast<unsigned long long>(in_order), static_cast<unsigned long long>(final_sum),
              known ? (right ? "as known" : "WRONG") : "");
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  const bool small = argc > 1 && std::strcmp(argv[1], "--small") == 0;
  if (argc > 1 && !small) {
    std::fprintf(stderr, "usage: xz -dc conversation_trace.jsonl.xz | index_bench    or: index_bench --small\n");
    return 2;
  }
  bench::print_header("index_bench: prefix index, 1 thread, everything applied inside the clock, medians");
  if (small) return run(made_trace(300), {8, 1, 1, 2000, 0, 0}, false, 1) ? 0 : 1;
  const auto trace = read_trace(std::cin);
  const bool known = trace.size() == 12031;
  const std::array<shape, 6> shapes{{{8, 1, 1, 16384, 0x206c35a24, 0x3702a0fdf},
                                     {64, 1, 1, 16384, 0x314048fa79, 0x4684c814cd},
                                     {256, 1, 1, 16384, 0x2630b598de1, 0x2b8908927be},
                                     {8, 4, 4, 16384, 0x3783e537e0, 0x33688c9234},
                                     {64, 4, 4, 16384, 0xb1a7cb127f0, 0xbd956988350},
                                     {256, 4, 4, 16384, 0x9896277bc348, 0xad32b45081b8}}};
  bool right = true;
  for (const auto& config : shapes) right = run(trace, config, known, 5) && right;
  return right ? 0 : 1;
}
