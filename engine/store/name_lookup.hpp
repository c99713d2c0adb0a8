// The addresses of a host name, with a deadline. The resolver of the C library has none, so it runs on a thread of its own, one at a time,
// which may outlive the question.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace troupe::store {

class name_lookup {
 public:
  /// A numeric address is returned as it is. None: the name is not known, or not yet; asking again waits for the same answer.
  std::vector<std::string> find(const std::string& host, std::chrono::steady_clock::time_point until);

 private:
  struct question;
  std::shared_ptr<question> pending_;
};

}  // namespace troupe::store
