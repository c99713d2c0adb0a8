// What tenants may use at once and per minute. Shared by all connections. Tokens come from a bucket that holds a minute's worth: a turn
// takes what the tenant's turns have cost on average, and when its cost is known the difference is settled, so that a bucket may fall below
// zero and the tenant's next turns wait for it. Knows no clock: time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::gateway {

struct tenant_limits {
  std::string name;
  std::uint32_t concurrency_max = 0;  ///< turns at once; 0: no bound
  std::uint64_t tokens_per_min = 0;   ///< computed and generated; 0: no bound
};

struct tenant_usage {
  std::string name;
  std::uint32_t running = 0;
  std::uint64_t tokens = 0;  ///< of turns that have ended
  std::uint64_t refused_concurrency = 0, refused_tokens = 0;
  std::uint64_t tokens_per_min = 0;      ///< as configured
  std::uint64_t tokens_left = 0;         ///< in the bucket when it was last looked at
  std::chrono::milliseconds full_in{0};  ///< until the bucket holds a minute's worth
};

enum class quota_kind : std::uint8_t { concurrency, tokens };

struct quota_refusal {
  quota_kind what = quota_kind::concurrency;
  std::chrono::milliseconds retry_after{0};
};

class tenant_quotas;

/// One turn that was let in. Unless told otherwise it ends with what was estimated for it, or with what it is known to have cost by then.
class quota_lease {
 public:
  quota_lease() = default;
  quota_lease(std::shared_ptr<tenant_quotas> quotas, std::string tenant, double charged)
      : quotas_(std::move(quotas)), tenant_(std::move(tenant)), charged_(charged) {}
  quota_lease(quota_lease&&) noexcept = default;
  quota_lease& operator=(quota_lease&&) = delete;
  ~quota_lease();

  /// The turn goes on and has cost so much already.
  void owe(std::uint64_t tokens) noexcept { owed_ = static_cast<double>(tokens); }
  /// The turn is over and has cost so much.
  void settle(std::uint64_t tokens);
  /// The turn never began.
  void refund();

 private:
  std::shared_ptr<tenant_quotas> quotas_;  // null: over, or nobody's
  std::string tenant_;
  double charged_ = 0, owed_ = 0;
};

class tenant_quotas : public std::enable_shared_from_this<tenant_quotas> {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  explicit tenant_quotas(const std::vector<tenant_limits>& tenants);

  /// A tenant that is not known is not bounded.
  std::variant<quota_lease, quota_refusal> acquire(std::string_view tenant, time_point now);
  /// Why `acquire` would refuse: for what is not worth beginning then.
  std::optional<quota_refusal> refusal_now(std::string_view tenant, time_point now);
  /// Nothing of a tenant that is not known.
  [[nodiscard]] std::optional<tenant_usage> usage(std::string_view tenant, time_point now);
  /// Of all, by name.
  [[nodiscard]] std::vector<tenant_usage> usages() const;

 private:
  friend class quota_lease;
  struct account {
    tenant_limits limits;
    double level = 0;  ///< tokens in the bucket
    double mean = 0;   ///< cost of a turn
    std::optional<time_point> filled_at;
    tenant_usage counts;
  };
  static void fill(account& of, time_point now);
  static std::optional<quota_refusal> check(account& of, time_point now);
  static tenant_usage describe(const account& of);
  void release(const std::string& tenant, double charged, std::optional<double> cost);

  mutable std::mutex mutex_;
  std::map<std::string, account, std::less<>> accounts_;
};

}  // namespace troupe::gateway
