// What the way from HTTP to a worker and back costs: the real program in a process of its own, with a worker that computes nothing (steps
// of 0 microseconds), driven over keep-alive connections. Whatever a request takes here is added to what a model takes.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/report.hpp"
#include "test/support/tiny_model.hpp"

using namespace troupe;

namespace {

/// `troupe serve` on a free port, ended with this object.
class served {
 public:
  served(const std::filesystem::path& binary, const std::filesystem::path& model) {
    test::write_file(folder_.path() / "node.toml",
                     "[node]\ndata_dir = \"data\"\n[log]\nlevel = \"warn\"\n[[model]]\npath = \"" + model.string() +
                         "\"\nname = \"bench\"\n[[worker]]\nbackend = \"timing\"\nblocks = 4096\nrunning_max = 64\ntiming_step_us = 0\n"
                         "timing_prefill_token_us = 0\ntiming_decode_token_us = 0\n");
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no server outlives a bench that failed
      dup2(pipe_ends[1], STDOUT_FILENO);
      const auto config = (folder_.path() / "node.toml").string();
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

/// One keep-alive connection with blocking calls.
class connection {
 public:
  explicit connection(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) throw std::runtime_error("cannot connect");
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const timeval wait{30, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  }
  ~connection() { close(socket_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Sends a request, reads to the end of its answer; throws unless the status is 200.
  void exchange(const std::string& request) {
    if (write(socket_, request.data(), request.size()) != static_cast<ssize_t>(request.size())) throw std::runtime_error("cannot write");
    std::string answer;
    while (!complete(answer)) {
      char bytes[16384];
      const auto count = read(socket_, bytes, sizeof(bytes));
      if (count <= 0) throw std::runtime_error("the connection was cut");
      answer.append(bytes, static_cast<std::size_t>(count));
    }
    if (answer.compare(0, 12, "HTTP/1.1 200") != 0) throw std::runtime_error(answer.substr(0, 400));
  }

 private:
  static bool complete(const std::string& answer) {
    const auto head = answer.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    std::string fields = answer.substr(0, head);
    std::transform(fields.begin(), fields.end(), fields.begin(), [](unsigned char letter) { return std::tolower(letter); });
    if (const auto length = fields.find("content-length: "); length != std::string::npos)
      return answer.size() >= head + 4 + std::strtoul(fields.c_str() + length + 16, nullptr, 10);
    return answer.size() >= 5 && answer.compare(answer.size() - 5, 5, "0\r\n\r\n") == 0;  // the last chunk
  }
  int socket_;
};

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

struct load {
  std::string name;
  std::function<std::string(unsigned)> request;  ///< of connection number
  unsigned connections = 1;
  unsigned requests = 0;  ///< of each connection
};

void measure(const served& server, const load& work) {
  std::vector<std::vector<double>> latencies(work.connections);
  std::vector<std::thread> threads;
  std::vector<std::string> errors(work.connections);
  const double cpu_before = server.cpu_seconds();
  const double seconds = bench::seconds_of([&] {
    for (unsigned i = 0; i < work.connections; ++i)
      threads.emplace_back([&, i] {
        try {
          connection to(server.port());
          const auto request = work.request(i);
          for (unsigned n = 0; n < work.requests; ++n) latencies[i].push_back(bench::seconds_of([&] { to.exchange(request); }));
        } catch (const std::exception& error) {
          errors[i] = error.what();
        }
      });
    for (auto& thread : threads) thread.join();
  });
  for (const auto& error : errors)
    if (!error.empty()) throw std::runtime_error(work.name + ": " + error);
  const double cpu = server.cpu_seconds() - cpu_before;
  std::vector<double> all;
  for (const auto& each : latencies) all.insert(all.end(), each.begin(), each.end());
  std::printf("%-34s c=%-3u %8.0f requests/s   server CPU %7.1f us/request   latency p50 %7.3f ms\n", work.name.c_str(), work.connections,
              static_cast<double>(all.size()) / seconds, cpu / static_cast<double>(all.size()) * 1e6, bench::median(all) * 1e3);
  std::fflush(stdout);
}

std::string chat(unsigned number, unsigned tokens, bool stream, bool session) {
  auto request = post("/v1/chat/completions", std::string(R"({"model":"bench","messages":[{"role":"user","content":"Hello there"}],"ignore_eos":true,"max_tokens":)") +
                                                  std::to_string(tokens) + (stream ? R"(,"stream":true})" : "}"));
  if (session) request.insert(request.find("\r\n") + 2, "x-session-id: bench-" + std::to_string(number) + "\r\n");
  return request;
}

int run(const std::filesystem::path& binary, const std::filesystem::path& model, bool small) {
  bench::print_header("gateway_bench: HTTP to worker and back, client and server share the machine");
  const served server(binary, model);
  const unsigned scale = small ? 1 : 40;
  const auto health = [](unsigned) { return std::string("GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); };
  for (const unsigned connections : {1U, 16U}) {
    measure(server, {"GET /live", health, connections, 50 * scale});
    measure(server, {"chat, 1 token, own session each", [](unsigned i) { return chat(i, 1, false, false); }, connections, 10 * scale});
    measure(server, {"chat, 1 token, one session", [](unsigned i) { return chat(i, 1, false, true); }, connections, 10 * scale});
    measure(server, {"chat, 64 tokens streamed", [](unsigned i) { return chat(i, 64, true, true); }, connections, 5 * scale});
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool small = argc > 1 && std::strcmp(argv[1], "--small") == 0;
  if (argc > 1 && !small) {
    std::fprintf(stderr, "usage: gateway_bench [--small]\n");
    return 2;
  }
  try {
    return run(TROUPE_BINARY, TROUPE_MODEL, small);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gateway_bench: %s\n", error.what());
    return 1;
  }
}
