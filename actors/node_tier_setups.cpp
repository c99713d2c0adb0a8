#include "actors/node_tier_setups.hpp"

#include <algorithm>
#include <charconv>

#include "actors/tenant_table.hpp"

namespace troupe::actors {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t segments_wanted = 16;  // of a budget: what leaves at once is a small part of it

failure problem(const char* key, std::string what) { return {errc::invalid_request, std::move(what), key}; }

/// What is to be found after a restart must have come down before: with stores below, the host tier has what the devices have.
core::offload_rule offload_of(const config& settings, bool has_stores) {
  const auto& offload = settings.host_tier.offload;
  const bool is_through = offload == "write_through" || (offload == "auto" && has_stores);
  return is_through ? core::offload_rule::write_through : core::offload_rule::on_eviction;
}

/// One setup for each model whose blocks have `settings.host_tier.bytes` room for at least one.
expected<std::vector<host_tier_setup>> make_hosts(const config& settings, const std::vector<worker_setup>& workers, std::uint32_t& next) {
  std::vector<host_tier_setup> hosts;
  for (const auto& worker : workers) {
    const auto same = std::ranges::find(hosts, worker.device.model, &host_tier_setup::model);
    if (same != hosts.end()) {
      const auto& first = *std::ranges::find(workers, worker.device.model, [](const auto& each) { return each.device.model; });
      const bool is_alike = first.layout == worker.layout && first.block_bytes == worker.block_bytes &&
                            first.device.pool.block_tokens == worker.device.pool.block_tokens;
      if (is_alike) continue;
      return problem("host_tier.bytes", "workers of " + worker.device.model.value + " differ in what a block is: they cannot share it");
    }
    const auto count = std::min<std::uint64_t>(settings.host_tier.bytes / worker.block_bytes, no_block - 1);
    if (count == 0) continue;
    core::host_pool_options pool{static_cast<std::uint32_t>(count), worker.device.pool.block_tokens, worker.block_bytes};
    pool.retention = settings.retention.policy;
    pool.pinned_share_max = settings.retention.pinned_share_max;
    pool.tenants = tenant_shares_of(settings);
    hosts.push_back({worker_id{next++}, worker.device.model, 0, pool, offload_of(settings, false)});
  }
  return hosts;
}

store_tier_setup about_of(const host_tier_setup& host, const worker_setup& worker, const served_model& model, std::int64_t unix_offset_ms) {
  store_tier_setup about;
  about.model = host.model;
  about.layout = {worker.layout};
  // Tenants, adapters and salts differ in every block's hash already; this keeps models and key files apart.
  about.scope = store::scope_of(model.secret ^ model.fingerprint);
  about.block_bytes = worker.block_bytes;
  about.unix_offset_ms = unix_offset_ms;
  return about;
}

expected<std::shared_ptr<store::block_cipher>> cipher_of(const std::filesystem::path& key_file, const char* key) {
  if (key_file.empty()) return std::shared_ptr<store::block_cipher>{};
  auto cipher = store::block_cipher::from_file(key_file);
  if (!cipher) return failure{cipher.error().code, cipher.error().message, key};
  return cipher;
}

expected<disk_tier_setup> make_disk(const config& settings, store_tier_setup about) {
  const auto& wanted = settings.disk_tier;
  auto cipher = cipher_of(wanted.key_file, "disk_tier.key_file");
  if (!cipher) return cipher.error();
  disk_tier_setup disk;
  disk.store.folder = (wanted.folder.empty() ? settings.node.data_dir / "disk" : wanted.folder) / about.model.value;
  disk.store.budget_bytes = wanted.bytes;
  disk.store.segment_bytes = std::min(disk.store.segment_bytes, wanted.bytes / segments_wanted / page_bytes * page_bytes);
  if (disk.store.segment_bytes < 2 * about.block_bytes + 16 * page_bytes)
    return problem("disk_tier.bytes", "the disk tier is too small for blocks of " + std::to_string(about.block_bytes) + " bytes");
  disk.store.write_bytes_per_s = wanted.write_bytes_per_s;
  disk.store.ttl_ms = std::int64_t{wanted.ttl_s} * 1000;
  disk.store.pinned_share_max = settings.retention.pinned_share_max;
  disk.store.cipher = *cipher;
  disk.about = std::move(about);
  return disk;
}

expected<store::redis_address> address_of(const remote_tier_config& wanted) {
  store::redis_address address;
  address.user = wanted.user;
  address.password = wanted.password;
  if (wanted.address.starts_with('/')) {
    address.unix_path = wanted.address;
    return address;
  }
  const auto colon = wanted.address.rfind(':');
  const auto* end = wanted.address.data() + wanted.address.size();
  const auto* begin = colon == std::string::npos ? end : wanted.address.data() + colon + 1;
  const auto parsed = std::from_chars(begin, end, address.port);
  if (begin == end || parsed.ptr != end || parsed.ec != std::errc{} || colon == 0)
    return problem("remote_tier.address", "'" + wanted.address + "' is neither host:port nor the path of a socket");
  address.host = wanted.address.substr(0, colon);
  return address;
}

expected<remote_tier_setup> make_remote(const config& settings, store_tier_setup about) {
  const auto& wanted = settings.remote_tier;
  auto address = address_of(wanted);
  if (!address) return address.error();
  auto cipher = cipher_of(wanted.key_file, "remote_tier.key_file");
  if (!cipher) return cipher.error();
  remote_tier_setup remote;
  remote.store.address = *std::move(address);
  remote.store.call_wait_ms = wanted.wait_ms;
  remote.store.ttl_ms = std::int64_t{wanted.ttl_s} * 1000;
  remote.store.cipher = *cipher;
  remote.about = std::move(about);
  return remote;
}

}  // namespace

expected<node_tier_setups> make_tier_setups(const config& settings, const std::vector<worker_setup>& workers, const model_registry& models,
                                            std::int64_t unix_offset_ms) {
  auto next = static_cast<std::uint32_t>(workers.size()) + 1;
  auto hosts = make_hosts(settings, workers, next);
  if (!hosts) return hosts.error();
  node_tier_setups made{*std::move(hosts), {}, {}};
  for (auto& host : made.hosts) {
    const auto is_of_model = [&](const worker_setup& each) { return each.device.model == host.model; };
    const auto& worker = *std::ranges::find_if(workers, is_of_model);
    const auto model = models.resolve(host.model.value);
    if (worker.layout == 0 || !model) continue;
    const auto about = about_of(host, worker, *model, unix_offset_ms);
    if (settings.disk_tier.bytes > 0) {
      auto disk = make_disk(settings, about);
      if (!disk) return disk.error();
      disk->about.tier = worker_id{next++};
      made.disks.push_back(*std::move(disk));
    }
    if (!settings.remote_tier.address.empty()) {
      auto remote = make_remote(settings, about);
      if (!remote) return remote.error();
      remote->about.tier = worker_id{next++};
      made.remotes.push_back(*std::move(remote));
    }
    host.pool.has_stores = settings.disk_tier.bytes > 0 || !settings.remote_tier.address.empty();
    host.offload = offload_of(settings, host.pool.has_stores);
  }
  return made;
}

}  // namespace troupe::actors
