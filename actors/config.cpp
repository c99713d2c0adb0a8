// What a config means once it is read: paths and names resolved, default workers made, keys that depend on each other checked.
#include "actors/config.hpp"

#include <arpa/inet.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "actors/config_fields.hpp"

namespace troupe::actors {
namespace {

constexpr std::uintmax_t file_bytes_max = 1 << 20;

bool is_address(const std::string& address) {
  in6_addr any{};
  return ::inet_pton(AF_INET, address.c_str(), &any) == 1 || ::inet_pton(AF_INET6, address.c_str(), &any) == 1;
}

std::string section_path(std::string_view section, std::size_t index, std::string_view key) {
  return std::string(section) + "[" + std::to_string(index) + "]." + std::string(key);
}

class resolver {
 public:
  resolver(config& value, const config_origin& origin) : value_(value), origin_(origin) {}

  /// The first problem, or errc::none.
  failure run() {
    resolve_path("node.data_dir", value_.node.data_dir);
    resolve_path("trace.file", value_.trace.file);
    resolve_path("audit.file", value_.audit.file);
    resolve_path("gateway.tls_certificate", value_.gateway.tls_certificate);
    resolve_path("gateway.tls_key", value_.gateway.tls_key);
    resolve_path("disk_tier.folder", value_.disk_tier.folder);
    resolve_path("disk_tier.key_file", value_.disk_tier.key_file);
    resolve_path("remote_tier.key_file", value_.remote_tier.key_file);
    check(!value_.node.data_dir.empty(), "node.data_dir", "must not be empty");
    if (problem_.code == errc::none) problem_ = detail::check_access(value_);
    const auto& address = value_.gateway.address;
    check(is_address(address), "gateway.address", "\"" + address + "\" is not an IPv4 or IPv6 address");
    check(is_loopback(address) || !value_.keys.empty(), "gateway.address",
          "\"" + address + "\" is not a loopback address (127.0.0.0/8 or ::1), and no keys are configured");
    check_tls();
    for (const auto& pattern : value_.audit.redact) {
      const auto why = text::check_redaction_pattern(pattern);
      check(why.empty(), "audit.redact", "\"" + pattern + "\" " + why);
    }
    check(!value_.models.empty(), "model", "at least one [[model]] is needed");
    for (std::size_t i = 0; i < value_.models.size(); ++i) resolve_model(i);
    if (value_.workers.empty()) add_default_workers();
    for (std::size_t i = 0; i < value_.workers.size(); ++i) resolve_worker(i);
    return problem_;
  }

 private:
  void check(bool holds, const std::string& key, const std::string& problem) {
    if (!holds && problem_.code == errc::none) problem_ = detail::config_failure(key, problem);
  }

  void resolve_path(const std::string& key, std::filesystem::path& path) {
    if (path.empty()) return;
    auto text = path.string();
    if (text == "~" || text.starts_with("~/")) {
      check(!origin_.home.empty(), key, "~ needs HOME in the environment");
      text = origin_.home + text.substr(1);
    }
    path = (origin_.folder / text).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "folder/" is "folder"
  }

  void check_tls() {
    const auto& gateway = value_.gateway;
    const bool has_certificate = !gateway.tls_certificate.empty(), has_key = !gateway.tls_key.empty();
    check(has_key || !has_certificate, "gateway.tls_key", "is needed beside tls_certificate");
    check(has_certificate || !has_key, "gateway.tls_certificate", "is needed beside tls_key");
  }

  void resolve_model(std::size_t index) {
    auto& model = value_.models[index];
    const auto key = [index](std::string_view name) { return section_path("model", index, name); };
    check(!model.path.empty(), key("path"), "is needed: the folder of the model");
    resolve_path(key("path"), model.path);
    resolve_path(key("chat_template"), model.chat_template);
    if (model.name.empty()) model.name = model.path.filename().string();
    check(!model.name.empty(), key("name"), "is needed: the folder has no name");
    for (const auto& pattern : model.volatile_text) {
      const auto why = text::check_volatile_pattern(pattern);
      check(why.empty(), key("volatile_text"), "\"" + pattern + "\" " + why);
    }
    for (std::size_t i = 0; i < index; ++i)
      check(value_.models[i].name != model.name, key("name"), "\"" + model.name + "\" is the name of model[" + std::to_string(i) + "] too");
  }

  void add_default_workers() {
    for (const auto& model : value_.models) {
      worker_config worker;
      worker.model = model.name;
      value_.workers.push_back(std::move(worker));
    }
  }

  void resolve_worker(std::size_t index) {
    auto& worker = value_.workers[index];
    const auto key = [index](std::string_view name) { return section_path("worker", index, name); };
    if (worker.model.empty() && !value_.models.empty()) worker.model = value_.models.front().name;
    bool known = false;
    for (const auto& model : value_.models) known = known || model.name == worker.model;
    check(known, key("model"), "\"" + worker.model + "\" is not the name of a [[model]]");
    resolve_path(key("timing_script"), worker.timing_script);
    check(worker.kv_bytes == 0 || worker.blocks == 0, key("blocks"), "is given beside kv_bytes: one of them says the size of the pool");
    check(worker.kv_bytes != 0 || worker.blocks != 0, key("kv_bytes"), "and blocks are both 0: one of them says the size of the pool");
    check(worker.prefill_chunk_max <= worker.step_tokens_max, key("prefill_chunk_max"),
          std::to_string(worker.prefill_chunk_max) + " is more than step_tokens_max, " + std::to_string(worker.step_tokens_max) +
              " (tokens)");
    check(worker.step_tokens_max > worker.running_max, key("step_tokens_max"),
          std::to_string(worker.step_tokens_max) + " is not more than running_max, " + std::to_string(worker.running_max) +
              ": each running turn may decode in every step, and a prompt needs room beside them");
  }

  config& value_;
  const config_origin& origin_;
  failure problem_{errc::none, {}, {}};
};

/// Matches without backtracking beyond the last `*`: linear in practice, quadratic at worst.
bool matches(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, address.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

namespace detail {

failure config_failure(const std::string& key, const std::string& problem) { return {errc::invalid_request, key + ": " + problem, key}; }

expected<config> resolve_config(config value, const config_origin& origin) {
  if (auto problem = resolver(value, origin).run(); problem.code != errc::none) return problem;
  return value;
}

}  // namespace detail

expected<config> load_config(const std::filesystem::path& file, std::string home) {
  const auto failed = [&file](int code) {
    return failure{errc::io_failed, "cannot read " + file.string() + ": " + std::generic_category().message(code), {}};
  };
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return failed(error.value());
  if (size > file_bytes_max) return failure{errc::invalid_request, file.string() + " is longer than 1 MiB: not a config", {}};
  std::ifstream in(file, std::ios::binary);
  if (!in) return failed(errno);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto parsed = parse_config(text, {std::filesystem::absolute(file, error).parent_path(), std::move(home)});
  if (parsed) return parsed;
  auto problem = parsed.error();
  problem.message = file.string() + ": " + problem.message;
  return problem;
}

bool matches_alias(std::string_view pattern, std::string_view name) noexcept { return matches(pattern, name); }

const model_config* find_model(const std::vector<model_config>& models, std::string_view name) noexcept {
  for (const auto& model : models)
    if (model.name == name) return &model;
  for (const auto& model : models)
    for (const auto& alias : model.aliases)
      if (matches(alias, name)) return &model;
  return nullptr;
}

}  // namespace troupe::actors
