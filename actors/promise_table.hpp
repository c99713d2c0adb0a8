// Response promises that an actor owes, by key. Each is answered exactly once, also when the actor ends in any way: CAF 0.17 lets
// a dropped promise hang until the requester's timeout, so the destructor answers what is left. Lives in an actor's state.
#pragma once

#include <caf/typed_response_promise.hpp>
#include <unordered_map>
#include <utility>

#include "messages/errors.hpp"

namespace troupe::actors {

template <class Key, class... Results>
class promise_table {
 public:
  using promise = caf::typed_response_promise<Results...>;

  promise_table() = default;
  promise_table(const promise_table&) = delete;
  promise_table& operator=(const promise_table&) = delete;
  ~promise_table() {
    for (auto& [key, owed] : owed_) owed.deliver(make_error(errc::not_ready, "the actor asked has ended"));
  }

  /// A promise already owed for `key` is answered `cancelled`: the later request replaces it.
  promise add(const Key& key, promise owed) {
    refuse(key, make_error(errc::cancelled, "replaced by a later request with the same id"));
    owed_.insert_or_assign(key, owed);
    return owed;
  }

  /// Nothing happens for an unknown key.
  void answer(const Key& key, Results... results) {
    if (auto owed = owed_.extract(key)) owed.mapped().deliver(std::move(results)...);
  }
  void refuse(const Key& key, caf::error error) {
    if (auto owed = owed_.extract(key)) owed.mapped().deliver(std::move(error));
  }

  [[nodiscard]] std::size_t size() const noexcept { return owed_.size(); }

 private:
  std::unordered_map<Key, promise> owed_;
};

}  // namespace troupe::actors
