#include "processes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <signal.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "os/files.h"
#include "os/loop.h"

namespace bench {

using namespace ndb;

namespace {

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::string scratch() {
  const char* tmp = std::getenv("TMPDIR");
  return tmp != nullptr && *tmp != 0 ? tmp : "/tmp";
}

// A server that speaks the Redis protocol listens there.
bool answers_ping(std::uint16_t port) {
  os::Fd s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{1, 0};
  ::setsockopt(s.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char answer[8] = {};
  return ::connect(s.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) == 0 &&
         ::send(s.get(), "PING\r\n", 6, MSG_NOSIGNAL) == 6 && ::recv(s.get(), answer, sizeof answer, 0) > 0 &&
         Bytes(answer, 5) == "+PONG";
}

// A new file in the scratch folder, removed at the end.
struct ScratchFile {
  std::string path = scratch() + "/ndb-bench.XXXXXX";
  os::Fd fd{::mkstemp(path.data())};
  ~ScratchFile() { ::unlink(path.c_str()); }
};

[[noreturn]] void become(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Process::Process(std::string n, std::vector<std::string> arguments, const std::string& output_file)
    : name(std::move(n)), pid_(::fork()) {
  if (pid_ != 0) return;
  const int out = ::open(output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int in = ::open("/dev/null", O_RDONLY);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  become(arguments);
}

bool Process::running() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

Process::~Process() {
  if (!running()) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 300 && running(); i++) pause_ms(10);
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

double cpu_seconds(pid_t pid) {
  std::ifstream f("/proc/" + std::to_string(pid) + "/stat");
  std::string all((std::istreambuf_iterator<char>(f)), {});
  const std::size_t close = all.rfind(')');
  if (close == std::string::npos) return 0;
  std::istringstream rest(all.substr(close + 2));
  std::string skip;
  for (int i = 0; i < 11; i++) rest >> skip;
  double user = 0, system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

std::uint16_t free_port() {
  os::Fd s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t n = sizeof a;
  if (::bind(s.get(), reinterpret_cast<sockaddr*>(&a), n) != 0) return 0;
  ::getsockname(s.get(), reinterpret_cast<sockaddr*>(&a), &n);
  return ntohs(a.sin_port);
}

std::string find_program(const std::string& name) {
  char self[4096];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self - 1);
  std::string folder(self, n > 0 ? static_cast<std::size_t>(n) : 0);
  folder = folder.substr(0, folder.rfind('/'));
  const std::string above = folder.substr(0, folder.rfind('/'));
  for (const std::string& f : {folder + "/" + name, above + "/" + name}) {
    if (::access(f.c_str(), X_OK) == 0 && !os::is_directory(f)) return f;
  }
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string p; std::getline(path, p, ':');) {
    if (::access((p + "/" + name).c_str(), X_OK) == 0) return p + "/" + name;
  }
  return {};
}

std::pair<int, std::string> run_program(const std::vector<std::string>& arguments) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return {127, {}};
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(fds[1], 1);
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    become(arguments);
  }
  ::close(fds[1]);
  std::string out;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(fds[0], buffer, sizeof buffer)) > 0) out.append(buffer, static_cast<std::size_t>(n));
  ::close(fds[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, out};
}

namespace {
std::string last_line(const std::string& path) {
  std::string last;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) last = line;
  return last;
}
}  // namespace

Result<std::unique_ptr<OwnCluster>> OwnCluster::start(const Options& o) {
  const std::string mgmd = find_program("ndb-mgmd"), node = find_program("ndb-node");
  if (mgmd.empty() || node.empty()) return Failure{Error::os_failed, "ndb-mgmd and ndb-node are not beside ndb-bench"};
  std::unique_ptr<OwnCluster> c(new OwnCluster);
  std::string pattern = scratch() + "/ndb-bench.XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return os::os_failure("make directory", pattern, errno);
  c->directory_ = pattern;
  c->keep_ = o.keep;
  const std::string port = std::to_string(free_port());
  c->connectstring_ = "127.0.0.1:" + port;
  std::string ini = "[ndbd default]\nNoOfReplicas=2\nDataMemory=" + std::to_string(o.memory_mb) + "M\n";
  ini += o.parameters;
  if (o.diskless) ini += "Diskless=1\n";
  if (o.workers > 1) ini += "ThreadConfig=ldm={count=" + std::to_string(o.workers) + "}\n";
  ini += "[ndb_mgmd]\nNodeId=101\nHostName=127.0.0.1\nPortNumber=" + port + "\nDataDir=" + c->directory_ + "/mgmd\n";
  os::make_directories(c->directory_ + "/mgmd");
  for (std::uint32_t i = 1; i <= o.nodes; i++) {
    const std::string dir = c->directory_ + "/node" + std::to_string(i);
    os::make_directories(dir);
    ini += "[ndbd]\nNodeId=" + std::to_string(i) + "\nHostName=127.0.0.1\nDataDir=" + dir + "\n";
  }
  ini += "[api]\nNodeId=150\n[api]\nNodeId=151\n";
  const std::string file = c->directory_ + "/config.ini";
  if (Failure f = os::write_file_atomically(file, ini)) return f;
  c->processes_.emplace_back("mgmd",
                             std::vector<std::string>{mgmd, "--config-file=" + file, "--initial", "--nodaemon",
                                                      "--configdir=" + c->directory_ + "/mgmd"},
                             c->directory_ + "/mgmd.log");
  for (std::uint32_t i = 1; i <= o.nodes; i++) {
    const std::string id = std::to_string(i);
    c->processes_.emplace_back(
        "node" + id,
        std::vector<std::string>{node, "--ndb-nodeid=" + id, "--nodaemon", "--initial",
                                 "--connectstring=" + c->connectstring_, "--worker-threads=" + o.worker_threads},
        c->directory_ + "/node" + id + ".log");
  }
  auto servers = cli::parse_connectstring(c->connectstring_);
  cli::Management m(*servers);
  std::string why = "nobody answers";
  for (int i = 0; i < 600; i++) {
    auto s = cluster_status(m);
    if (s && s->serving) return c;
    if (!s)
      why = s.failure().sentence();
    else
      why = "the data nodes do not come up";
    for (auto& p : c->processes_) {
      if (!p.running()) {
        c->keep_ = true;
        return Failure{Error::os_failed, p.name + " ended: " + last_line(c->directory_ + "/" + p.name + ".log") +
                                             "; more in " + c->directory_};
      }
    }
    pause_ms(50);
  }
  c->keep_ = true;
  return Failure{Error::os_failed, "the cluster in " + c->directory_ + " does not start: " + why};
}

OwnCluster::~OwnCluster() {
  while (!processes_.empty()) processes_.pop_back();
  if (!keep_ && !directory_.empty()) run_program({"rm", "-rf", directory_});
}

Result<ClusterStatus> cluster_status(cli::Management& m) {
  auto r = m.request("ndb status");
  if (!r) return r.failure();
  auto j = nlohmann::json::parse(r->bulk, nullptr, false);
  if (j.is_discarded() || !j.contains("nodes")) return Failure{Error::bad_message, "the status cannot be read"};
  ClusterStatus s;
  s.serving = j.value("started", false);
  s.replicas = j.value("replicas", 2u);
  auto number = [](const nlohmann::json& n, const char* key) {
    return n.contains(key) && n[key].is_number() ? n[key].get<std::uint64_t>() : 0;
  };
  for (const auto& n : j["nodes"]) {
    if (n.value("type", "") != "data" || n.value("disabled", false)) continue;
    if (n.value("state", "") != "in_sync") s.serving = false;
    s.nodes++;
    if (n.contains("memory_used") && n["memory_used"].is_number()) s.telling++;
    s.memory_used += number(n, "memory_used");
    s.rows += number(n, "rows");
  }
  return s;
}

Failure create_table(cli::Management& m, const std::string& name) {
  nlohmann::json j;
  j["name"] = name;
  j["if_not_exists"] = false;
  j["columns"] = nlohmann::json::array();
  auto column = [&](const std::string& c) {
    j["columns"].push_back({{"name", c}, {"type", "integer"}, {"nullable", false}});
  };
  column("a");
  column("b");
  for (int i = 1; i <= 8; i++) column("c" + std::to_string(i));
  j["primary_key"] = {"a", "b"};
  auto r = m.request("ndb create table", {{"request", cli::Management::draw_request_id()}}, j.dump());
  return r.failure();
}

Failure drop_table(cli::Management& m, const std::string& name) {
  return m
      .request("ndb drop table", {{"name", name}, {"if_exists", "1"}, {"request", cli::Management::draw_request_id()}})
      .failure();
}

Result<double> run_import(const std::string& connectstring, const std::string& table, std::uint64_t rows) {
  const std::string program = find_program("ndb-import");
  if (program.empty()) return Failure{Error::os_failed, "ndb-import is not beside ndb-bench"};
  ScratchFile file;
  std::FILE* out = file.fd ? ::fdopen(::dup(file.fd.get()), "w") : nullptr;
  if (out == nullptr) return os::os_failure("write", file.path, errno);
  for (std::uint64_t i = 0; i < rows; i++) {
    const auto n = static_cast<std::int32_t>(i);
    std::fprintf(out, "%d,%d,%d,%d,%d,%d,%d,%d,%d,%d\n", n, static_cast<std::int32_t>(i * 7), n, n + 1, n + 2, n + 3,
                 n + 4, n + 5, n + 6, n + 7);
  }
  if (std::fclose(out) != 0) return os::os_failure("write", file.path, errno);
  const Time start = os::Loop::now();
  std::vector<std::string> arguments{program, "--quiet", "--table=" + table, file.path};
  if (!connectstring.empty()) arguments.push_back("--connectstring=" + connectstring);
  const int status = run_program(arguments).first;
  if (status != 0) return Failure{Error::os_failed, "ndb-import ended with status " + std::to_string(status)};
  return static_cast<double>(os::Loop::now() - start) / 1e9;
}

double fsync_ms() {
  ScratchFile file;
  std::vector<double> all;
  const std::string block(4096, 'x');
  for (int i = 0; i < 33 && file.fd; i++) {
    if (::write(file.fd.get(), block.data(), block.size()) < 0) break;
    const Time start = os::Loop::now();
    if (::fsync(file.fd.get()) != 0) break;
    all.push_back(static_cast<double>(os::Loop::now() - start) / 1e6);
  }
  std::sort(all.begin(), all.end());
  return all.empty() ? 0 : all[all.size() / 2];
}

Result<RedisFigures> measure_redis(std::uint64_t operations) {
  const std::string server = find_program("redis-server"), benchmark = find_program("redis-benchmark");
  if (server.empty() || benchmark.empty())
    return Failure{Error::os_failed, "redis-server or redis-benchmark is missing"};
  const std::uint16_t number = free_port();
  const std::string port = std::to_string(number);
  Process p("redis", {server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}, "/dev/null");
  for (int i = 0; !answers_ping(number); i++) {  // redis-benchmark itself does not always end when nobody listens yet
    if (!p.running() || i == 200) return Failure{Error::os_failed, "redis-server does not start"};
    pause_ms(50);
  }
  auto [status, text] =
      run_program({benchmark, "-p", port, "-d", "36", "-P", "64", "-c", "4", "-n", std::to_string(operations), "-r",
                   std::to_string(operations), "-t", "set,get", "--csv"});
  RedisFigures f;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t comma = line.find("\",\"");
    if (comma == std::string::npos) continue;
    const double v = std::atof(line.c_str() + comma + 3);
    if (line.rfind("\"SET\"", 0) == 0) f.set = v;
    if (line.rfind("\"GET\"", 0) == 0) f.get = v;
  }
  if (status != 0 || f.set <= 0 || f.get <= 0) return Failure{Error::os_failed, "redis-benchmark failed"};
  return f;
}

}  // namespace bench
