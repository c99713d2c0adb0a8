#include "engine/store/response_log.hpp"

#include <algorithm>
#include <utility>

#include "messages/base/limits.hpp"

namespace troupe::store {
namespace {

std::string key_of(const stored_response& response) { return response_key(response.tenant, response.id); }

/// Those before it that are not in `written`, the first one first.
std::vector<const stored_response*> missing_before(const stored_response& response, const std::unordered_set<std::string>& written) {
  std::vector<const stored_response*> missing;
  for (const auto* each = response.previous.get(); each != nullptr && !written.contains(key_of(*each)); each = each->previous.get())
    missing.push_back(each);
  std::ranges::reverse(missing);
  return missing;
}

/// What a file holds, in the order of its records.
class log_reader {
 public:
  explicit log_reader(response_table& table) : table_(table) {}

  void read(std::span<const std::byte> bytes) {
    auto record = assembler_.add(bytes);
    if (!record) return;
    const auto key = key_of(record->response);
    if (record->deleted && record->response.body.empty()) {
      visible_.erase(key);
      return;
    }
    if (!record->previous_id.empty()) {
      const auto before = known_.find(response_key(record->response.tenant, record->previous_id));
      if (before == known_.end()) return;
      record->response.previous = before->second;
    }
    known_[key] = table_.adopt(std::move(record->response));
    if (record->deleted) return;
    order_.push_back(key);
    visible_.insert(key);
  }

  void fill(std::int64_t now_s) {
    std::vector<response_ptr> found;
    for (const auto& key : order_)
      if (visible_.erase(key) != 0) found.push_back(known_.at(key));
    known_.clear();  // what nobody needs counts no more: the table is bounded by bytes
    for (auto& response : found) table_.insert(std::exchange(response, nullptr), now_s);
  }

  [[nodiscard]] std::unordered_set<std::string> keys() const {
    std::unordered_set<std::string> keys;
    for (const auto& [key, response] : known_) keys.insert(key);
    return keys;
  }

 private:
  response_table& table_;
  response_assembler assembler_;
  std::unordered_map<std::string, response_ptr> known_;
  std::unordered_set<std::string> visible_;
  std::vector<std::string> order_;
};

}  // namespace

expected<response_log> response_log::open(const std::filesystem::path& file, response_table& table, std::int64_t now_s) {
  response_log made;
  {
    log_reader reader(table);
    auto opened = journal::open(file, [&reader](std::span<const std::byte> bytes) { reader.read(bytes); });
    if (!opened) return opened.error();
    made.journal_ = std::move(*opened);
    made.written_ = reader.keys();
    reader.fill(now_s);
  }
  return made;
}

expected<std::uint64_t> response_log::add(const stored_response& response) {
  const auto append = [this](const stored_response& each, bool deleted) -> expected<std::uint64_t> {
    for (const auto& record : to_records(each, deleted))
      if (auto length = journal_->append(record); !length) return length;
    written_.insert(key_of(each));
    return journal_->bytes();
  };
  for (const auto* before : missing_before(response, written_))
    if (auto length = append(*before, true); !length) return length;
  return append(response, false);
}

expected<std::uint64_t> response_log::remove(std::string_view tenant, std::string_view id) {
  if (!written_.contains(response_key(tenant, id))) return journal_->bytes();  // a disk that refused it has nothing to forget
  stored_response gone;
  gone.tenant = tenant;
  gone.id = id;
  return journal_->append(to_records(gone, true).front());
}

bool response_log::is_outgrown(std::size_t table_bytes) const noexcept {
  return journal_->bytes() > limits::journal_bytes_min && journal_->bytes() > limits::journal_growth_max * table_bytes;
}

expected<std::uint64_t> response_log::rewrite(const std::vector<response_ptr>& visible) {
  std::unordered_set<std::string> seen, written;
  for (const auto& response : visible) seen.insert(key_of(*response));
  auto length = journal_->rewrite([&](const std::function<void(std::span<const std::byte>)>& write) {
    const auto put = [&](const stored_response& each) {
      if (!written.insert(key_of(each)).second) return;
      for (const auto& record : to_records(each, !seen.contains(key_of(each)))) write(record);
    };
    for (const auto& response : visible) {
      for (const auto* before : missing_before(*response, written)) put(*before);
      put(*response);
    }
  });
  if (length) written_ = std::move(written);
  return length;
}

}  // namespace troupe::store
