#include "gateway/tenant_quotas.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::gateway {
namespace {

// Of the newest turn in the mean: a handful of turns are enough to follow an agent from its cold start to its cached rounds.
constexpr double newest_share = 0.25;
// Of a token: what fractions may lose in a sum is worth no wait.
constexpr double rounding = 1e-6;
constexpr double ms_per_min = 60'000;

std::chrono::milliseconds wait_for(double tokens, std::uint64_t tokens_per_min) {
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::ceil((tokens - rounding) * ms_per_min / static_cast<double>(tokens_per_min))));
}

/// Of a turn that begins. One that costs more than a minute's worth needs a full bucket.
double charge_of(double mean, const tenant_limits& limits) { return std::min(mean, static_cast<double>(limits.tokens_per_min)); }

}  // namespace

quota_lease::~quota_lease() {
  if (quotas_) quotas_->release(tenant_, charged_, std::max(charged_, owed_));
}

void quota_lease::settle(std::uint64_t tokens) {
  if (const auto quotas = std::exchange(quotas_, nullptr)) quotas->release(tenant_, charged_, static_cast<double>(tokens));
}

void quota_lease::refund() {
  if (const auto quotas = std::exchange(quotas_, nullptr)) quotas->release(tenant_, charged_, std::nullopt);
}

tenant_quotas::tenant_quotas(const std::vector<tenant_limits>& tenants) {
  for (const auto& limits : tenants) {
    auto& made = accounts_[limits.name];
    made.limits = limits;
    made.level = static_cast<double>(limits.tokens_per_min);
    made.mean = limits::output_tokens_expected;
    made.counts.name = limits.name;
    made.counts.tokens_per_min = limits.tokens_per_min;
  }
}

std::variant<quota_lease, quota_refusal> tenant_quotas::acquire(std::string_view tenant, time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(tenant);
  if (found == accounts_.end()) return quota_lease{};
  auto& of = found->second;
  if (const auto refused = check(of, now)) return *refused;
  const auto charge = charge_of(of.mean, of.limits);
  of.level -= charge;
  ++of.counts.running;
  return quota_lease{shared_from_this(), found->first, charge};
}

std::optional<quota_refusal> tenant_quotas::refusal_now(std::string_view tenant, time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(tenant);
  return found == accounts_.end() ? std::nullopt : check(found->second, now);
}

std::optional<quota_refusal> tenant_quotas::check(account& of, time_point now) {
  fill(of, now);
  if (of.limits.concurrency_max != 0 && of.counts.running >= of.limits.concurrency_max) {
    ++of.counts.refused_concurrency;
    return quota_refusal{quota_kind::concurrency, limits::quota_retry_wait};
  }
  const auto charge = charge_of(of.mean, of.limits);
  if (of.level + rounding >= charge) return std::nullopt;
  ++of.counts.refused_tokens;
  return quota_refusal{quota_kind::tokens, wait_for(charge - of.level, of.limits.tokens_per_min)};
}

void tenant_quotas::fill(account& of, time_point now) {
  const auto capacity = static_cast<double>(of.limits.tokens_per_min);
  if (of.filled_at && now > *of.filled_at) {
    const std::chrono::duration<double, std::milli> passed = now - *of.filled_at;
    of.level = std::min(capacity, of.level + passed.count() * capacity / ms_per_min);
  }
  // Connections read the clock before they wait for this object: a later one may come first.
  of.filled_at = of.filled_at ? std::max(*of.filled_at, now) : now;
}

void tenant_quotas::release(const std::string& tenant, double charged, std::optional<double> cost) {
  const std::lock_guard lock(mutex_);
  auto& of = accounts_.find(tenant)->second;
  --of.counts.running;
  of.counts.tokens += static_cast<std::uint64_t>(std::llround(cost.value_or(0)));
  if (cost) of.mean += newest_share * (*cost - of.mean);
  if (of.limits.tokens_per_min != 0)
    of.level = std::min(static_cast<double>(of.limits.tokens_per_min), of.level + charged - cost.value_or(0));
}

std::optional<tenant_usage> tenant_quotas::usage(std::string_view tenant, time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = accounts_.find(tenant);
  if (found == accounts_.end()) return std::nullopt;
  fill(found->second, now);
  return describe(found->second);
}

std::vector<tenant_usage> tenant_quotas::usages() const {
  const std::lock_guard lock(mutex_);
  std::vector<tenant_usage> all;
  for (const auto& [name, of] : accounts_) all.push_back(describe(of));
  return all;
}

tenant_usage tenant_quotas::describe(const account& of) {
  auto usage = of.counts;
  if (of.limits.tokens_per_min == 0) return usage;
  usage.tokens_left = static_cast<std::uint64_t>(std::max(of.level + rounding, 0.0));
  usage.full_in = wait_for(static_cast<double>(of.limits.tokens_per_min) - of.level, of.limits.tokens_per_min);
  return usage;
}

}  // namespace troupe::gateway
