// What the way from HTTP to a worker and back costs: the real program in a process of its own, with a worker that computes nothing (steps
// of 0 microseconds), driven over keep-alive connections. Whatever a request takes here is added to what a model takes.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/http_load.hpp"
#include "bench/report.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;

namespace {

/// `troupe serve` on a free port, ended with this object.
class served {
 public:
  served(const std::filesystem::path& binary, const std::filesystem::path& model) {
    test::write_file(folder_.path / "node.toml",
                     "[node]\ndata_dir = \"data\"\n[log]\nlevel = \"warn\"\n[[model]]\npath = \"" + model.string() +
                         "\"\nname = \"bench\"\n[[worker]]\nbackend = \"timing\"\nblocks = 4096\nrunning_max = 64\ntiming_step_us = 0\n"
                         "timing_prefill_token_us = 0\ntiming_decode_token_us = 0\ntiming_block_us = 0\n");
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no server outlives a bench that failed
      dup2(pipe_ends[1], STDOUT_FILENO);
      const auto config = (folder_.path / "node.toml").string();
      execl(binary.c_str(), "troupe", "serve", "--config", config.c_str(), "--port", "0", nullptr);
      _exit(127);
    }
    close(pipe_ends[1]);
    std::string output;
    char byte = 0;
    while (read(pipe_ends[0], &byte, 1) == 1 && byte != '\n') output += byte;
    const auto colon = output.rfind(':');
    if (output.find("listening") == std::string::npos || colon == std::string::npos) throw std::runtime_error("the server did not start");
    port_ = static_cast<std::uint16_t>(std::atoi(output.c_str() + colon + 1));
    output_ = pipe_ends[0];
  }
  ~served() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
    close(output_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// User and system seconds so far.
  [[nodiscard]] double cpu_seconds() const {
    std::ifstream file("/proc/" + std::to_string(process_) + "/stat");
    std::string line;
    std::getline(file, line);
    unsigned long user = 0, system = 0;
    std::sscanf(line.c_str() + line.rfind(')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  test::temporary_folder folder_;
  pid_t process_ = 0;
  int output_ = -1;
  std::uint16_t port_ = 0;
};

std::string post(const std::string& path, const std::string& body, const std::string& fields = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// 256 token ids, different ones in each request.
std::string completion(unsigned number, const std::string& session) {
  test::random_source random{number + 1};
  std::string ids;
  for (unsigned i = 0; i < 256; ++i) ids += (i == 0 ? "" : ",") + std::to_string(random.below(1000));
  return post("/v1/completions", R"({"model":"bench","prompt":[)" + ids + R"(],"max_tokens":1,"ignore_eos":true})",
              session.empty() ? "" : "x-session-id: " + session + "\r\n");
}

constexpr const char* tools =
    R"([{"type":"function","function":{"name":"read_file","description":"Reads a file of the working tree and gives its lines with their numbers.",)"
    R"("parameters":{"type":"object","properties":{"path":{"type":"string","description":"relative to the root"},"first_line":{"type":"integer"},"lines":{"type":"integer"}},"required":["path"]}}},)"
    R"({"type":"function","function":{"name":"run_command","description":"Runs a command line in the working tree and gives what it wrote and its exit status.",)"
    R"("parameters":{"type":"object","properties":{"command":{"type":"string"},"timeout_s":{"type":"number","description":"seconds until it is ended"}},"required":["command"]}}}])";

/// About `bytes` of plain words.
std::string words(test::random_source& random, std::size_t bytes) {
  constexpr const char* some[] = {"the", "file", "reads", "return", "value", "of", "a", "test", "that", "fails", "with", "error", "in", "line", "when", "is"};
  std::string text;
  while (text.size() < bytes) text.append(some[random.below(std::size(some))]).append(" ");
  return text;
}

/// A conversation of 10 messages and 4 KB with two tools; another last message in each request.
std::string chat(unsigned number, const std::string& session) {
  test::random_source fixed{7}, own{number + 1};
  std::string messages = R"({"role":"system","content":")" + words(fixed, 700) + "\"}";
  for (unsigned i = 1; i < 10; ++i)
    messages += std::string(R"(,{"role":")") + (i % 2 == 1 ? "user" : "assistant") + R"(","content":")" + words(i < 9 ? fixed : own, 260) + "\"}";
  return post("/v1/chat/completions", R"({"model":"bench","messages":[)" + messages + R"(],"tools":)" + tools + R"(,"ignore_eos":true,"max_tokens":1})",
              session.empty() ? "" : "x-session-id: " + session + "\r\n");
}

std::string stream(unsigned number, unsigned tokens) {
  return post("/v1/chat/completions", R"({"model":"bench","messages":[{"role":"user","content":"Hello there"}],"ignore_eos":true,"stream":true,"max_tokens":)" + std::to_string(tokens) + "}",
              "x-session-id: stream-" + std::to_string(number) + "\r\n");
}

struct load {
  std::string name;
  std::function<std::string(unsigned connection, unsigned n)> request;
  unsigned connections = 1;
  unsigned requests = 0;           ///< in all
  double requests_per_s = 0;       ///< 0: as fast as it is answered
  unsigned tokens = 0;             ///< that each answer streams
};

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

/// Prints a row; the requests per second that were answered.
double measure(const served& server, const load& work) {
  constexpr unsigned different = 512;  // requests of a connection, made ahead
  std::vector<std::vector<std::string>> requests(work.connections);
  const unsigned each = std::min(different, work.requests / work.connections + 1);
  for (unsigned i = 0; i < work.connections; ++i)
    for (unsigned n = 0; n < each; ++n) requests[i].push_back(work.request(i, n));
  bench::load_plan plan;
  plan.request = [&](unsigned i, unsigned n) -> const std::string& { return requests[i][n % requests[i].size()]; };
  plan.connections = work.connections;
  plan.requests = work.requests;
  plan.requests_per_s = work.requests_per_s;
  const double cpu_before = server.cpu_seconds();
  const auto result = bench::run_load(server.port(), plan);
  const double cpu_us = (server.cpu_seconds() - cpu_before) / work.requests * 1e6;
  const double rate = work.requests / result.seconds;
  std::printf("%-56s c=%-3u %8.0f requests/s   server CPU %8.1f us/request   p50 %7.3f ms   p99 %7.3f ms", work.name.c_str(), work.connections, rate, cpu_us,
              percentile(result.latency_s, 0.5) * 1e3, percentile(result.latency_s, 0.99) * 1e3);
  if (work.tokens > 0)
    std::printf("   %8.0f tokens/s   %.2f tokens/event   %.2f us/token   first event p99 %.3f ms", rate * work.tokens,
                static_cast<double>(work.tokens) * work.requests / static_cast<double>(result.events), cpu_us / work.tokens,
                percentile(result.first_event_s, 0.99) * 1e3);
  std::printf("\n");
  std::fflush(stdout);
  return rate;
}

/// The rows. Those behind a row ask half of what it answered, and half of what it is meant to answer.
void run_rows(const served& server, unsigned scale, unsigned connections, const std::string& only) {
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  const auto with_half = [&](load work, double meant_per_s) {
    const auto name = work.name;
    const auto rate = measure(server, work);
    work.name = name + ", half load";
    work.requests_per_s = rate / 2;
    measure(server, work);
    work.name = name + ", " + std::to_string(static_cast<int>(meant_per_s / 2)) + " a second";
    work.requests_per_s = meant_per_s / 2;
    measure(server, work);
  };
  const auto live = [](unsigned, unsigned) { return std::string("GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); };
  if (wanted("live")) measure(server, {"GET /live", live, connections, 1000 * scale});
  if (wanted("completions"))
    with_half({"completions, 256 ids, a session per connection", [](unsigned i, unsigned n) { return completion(i * 1000 + n, "agent-" + std::to_string(i)); }, connections, 500 * scale}, 10'000);
  if (wanted("completions-new")) measure(server, {"completions, 256 ids, nobody named", [](unsigned i, unsigned n) { return completion(i * 1000 + n, {}); }, connections, 500 * scale});
  if (wanted("chat"))
    with_half({"chat, 10 messages, a session per connection", [](unsigned i, unsigned n) { return chat(i * 1000 + n, "agent-" + std::to_string(i)); }, connections, 300 * scale}, 4'000);
  if (wanted("chat-new")) measure(server, {"chat, 10 messages, nobody named", [](unsigned i, unsigned n) { return chat(i * 1000 + n, {}); }, connections, 150 * scale});
  if (wanted("stream")) measure(server, {"streams", [scale](unsigned i, unsigned) { return stream(i, 50 * scale); }, connections, connections, 0, 50 * scale});
}

/// The client on one core, the server on another, where there are two.
void pin(unsigned core) {
  if (std::thread::hardware_concurrency() < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

int run(const std::filesystem::path& binary, const std::filesystem::path& model, bool small, unsigned connections, const std::string& only) {
  bench::print_header("gateway_bench: HTTP to worker and back; the server on one core, the client on another");
  pin(0);  // inherited by the server
  const served server(binary, model);
  pin(1);
  run_rows(server, small ? 1 : 40, connections, only);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool small = false;
  unsigned connections = 64;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--small") {
      small = true;
    } else if (argument == "--row" && i + 1 < argc) {
      only = argv[++i];
    } else if (argument == "--connections" && i + 1 < argc) {
      connections = static_cast<unsigned>(std::max(1, std::atoi(argv[++i])));
    } else {
      std::fprintf(stderr, "usage: gateway_bench [--small] [--connections N] [--row live|completions|completions-new|chat|chat-new|stream]\n");
      return 2;
    }
  }
  try {
    const char* binary = std::getenv("TROUPE_BINARY");
    return run(binary != nullptr ? binary : TROUPE_BINARY, TROUPE_MODEL, small, connections, only);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gateway_bench: %s\n", error.what());
    return 1;
  }
}
