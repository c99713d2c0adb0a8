// The store behind /v1/responses by itself: what it says of a response is what its file says, and it takes no more than it may.
#include "gateway/response_store.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <csignal>
#include <future>
#include <string>

#include "messages/base/limits.hpp"

using namespace troupe;
using gateway::response_store;
using keeping = response_store::keeping;
namespace fs = std::filesystem;

namespace {

constexpr store::response_bounds wide{10'000, std::size_t{1} << 30, 1'000};
constexpr std::int64_t now_s = 5'000;

struct scratch_folder {
  fs::path path;
  scratch_folder() {
    std::string name = (fs::temp_directory_path() / "troupe-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch_folder() { fs::remove_all(path); }
};

std::shared_ptr<response_store> open(const fs::path& file = {}) {
  auto opened = response_store::open(file, wide, now_s);
  REQUIRE(opened);
  return *opened;
}

store::stored_response make(std::string id) {
  store::stored_response made;
  made.tenant = "default";
  made.id = std::move(id);
  made.created_s = now_s;
  made.input = "[]";
  made.body = "{}";
  return made;
}

template <class T>
T wait(std::future<T> answer) {
  REQUIRE(answer.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  return answer.get();
}

keeping put(response_store& to, const std::string& id) {
  std::promise<keeping> said;
  to.put(make(id), [&said](keeping how) { said.set_value(how); });
  return wait(said.get_future());
}

expected<bool> remove(response_store& from, const std::string& id) {
  std::promise<expected<bool>> said;
  from.remove("default", id, now_s, [&said](expected<bool> removed) { said.set_value(std::move(removed)); });
  return wait(said.get_future());
}

/// Keeps the store's thread busy until it goes.
class hold {
 public:
  explicit hold(response_store& of) {
    const auto entered = std::make_shared<std::promise<void>>();
    of.put(make("held"), [entered, release = released_.get_future().share()](keeping) {
      entered->set_value();
      release.wait();
    });
    wait(entered->get_future());
  }
  ~hold() { released_.set_value(); }

 private:
  std::promise<void> released_;
};

}  // namespace

TEST_CASE("more than may wait for the disk is refused at once, and what waits is kept") {
  const auto kept = open();
  std::size_t done = 0;
  std::promise<void> all;
  {
    const hold held(*kept);
    for (std::size_t i = 0; i < limits::responses_waiting_max; ++i)
      kept->put(make(std::to_string(i)), [&](keeping how) {
        done += how == keeping::kept;
        if (done == limits::responses_waiting_max) all.set_value();
      });
    CHECK(put(*kept, "late") == keeping::refused);
    const auto removed = remove(*kept, "held");
    REQUIRE_FALSE(removed);
    CHECK(removed.error().code == errc::queue_full);
  }
  wait(all.get_future());
  CHECK(kept->count() == limits::responses_waiting_max + 1);
  CHECK(kept->find("default", "late", now_s) == nullptr);
}

TEST_CASE("a deletion is told of when the file has it, and not before") {
  scratch_folder folder;
  const auto file = folder.path / "r", copy = folder.path / "copy";
  const auto kept = open(file);
  CHECK(put(*kept, "a") == keeping::kept);
  std::promise<bool> said;
  auto answer = said.get_future();
  {
    const hold held(*kept);
    kept->remove("default", "a", now_s, [&](const expected<bool>& removed) {
      fs::copy_file(file, copy);  // as a crash would leave it
      said.set_value(removed && *removed);
    });
    CHECK(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    CHECK(kept->find("default", "a", now_s) != nullptr);
  }
  CHECK(wait(std::move(answer)));
  CHECK(kept->find("default", "a", now_s) == nullptr);
  CHECK(open(copy)->find("default", "a", now_s) == nullptr);
  const auto again = remove(*kept, "a");
  REQUIRE(again);
  CHECK_FALSE(*again);
}

TEST_CASE("a deletion that the disk refuses leaves the response where it is, one that the disk never had is gone") {
  scratch_folder folder;
  const auto kept = open(folder.path / "r");
  CHECK(put(*kept, "a") == keeping::kept);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const rlimit tight{fs::file_size(folder.path / "r"), old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  CHECK(put(*kept, "in memory") == keeping::kept);
  const auto refused = remove(*kept, "a");
  const auto unwritten = remove(*kept, "in memory");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
  std::signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::io_failed);
  CHECK(kept->find("default", "a", now_s) != nullptr);
  REQUIRE(unwritten);
  CHECK(*unwritten);
  const auto done = remove(*kept, "a");
  REQUIRE(done);
  CHECK(*done);
}
