// The node's settings, from the configuration that a management server has.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "env/limits.h"
#include "mgmt/config.h"
#include "program.h"

namespace ndb::node_program {

namespace {

// ThreadConfig, else half of MaxNoOfExecutionThreads, as the original derives it.
std::uint8_t workers_of(const mgmt::Config& c, const mgmt::Node& n) {
  const std::uint64_t wish = mgmt::ldm_threads(mgmt::effective(c, n, "ThreadConfig"))
                                 .value_or(mgmt::effective_number(c, n, "MaxNoOfExecutionThreads") / 2);
  return static_cast<std::uint8_t>(std::clamp<std::uint64_t>(wish, 1, limits::kWorkersMax));
}

// `disabled`: the nodes in reserve as the server knows them now; empty: the text decides.
bool kept_in_reserve(const mgmt::Config& config, const mgmt::Node& n, const std::string& disabled) {
  if (disabled.empty()) return mgmt::in_reserve(config, n);
  return (" " + disabled + " ").find(" " + std::to_string(n.id) + " ") != std::string::npos;
}

Result<Settings> settings_for(NodeId id, const std::string& text, const std::string& disabled) {
  mgmt::ParseResult parsed = mgmt::parse_any(text);
  if (!parsed.ok()) return Failure{Error::internal, "the management server's configuration cannot be read"};
  const mgmt::Node* n = parsed.config.find(id);
  if (n == nullptr || n->kind != mgmt::Kind::ndbd) {
    return Failure{Error::wrong_node_id, "node id " + std::to_string(id) + " is not a data node of the configuration"};
  }
  if (kept_in_reserve(parsed.config, *n, disabled)) {
    return Failure{Error::bad_node_state,
                   "node " + std::to_string(id) + " is kept in reserve; take it out with 'ndb-mgm enable' first"};
  }
  Settings s;
  s.host = mgmt::effective(parsed.config, *n, "HostName");
  if (s.host.empty()) s.host = "localhost";
  std::string dir = mgmt::effective(parsed.config, *n, "DataDir");
  if (!dir.empty()) s.data_dir = dir;
  s.file_system_path = mgmt::effective(parsed.config, *n, "FileSystemPath");
  if (s.file_system_path.empty()) s.file_system_path = s.data_dir;
  const std::uint64_t start_ms = mgmt::effective_number(parsed.config, *n, "StartFailureTimeout");
  if (start_ms != 0) s.start_failure = static_cast<Time>(start_ms) * kMillisecond;
  s.port = static_cast<std::uint16_t>(mgmt::effective_number(parsed.config, *n, "ServerPort"));
  s.replicas = static_cast<std::uint32_t>(mgmt::effective_number(parsed.config, *n, "NoOfReplicas"));
  s.workers = workers_of(parsed.config, *n);
  s.diskless = mgmt::effective(parsed.config, *n, "Diskless") == "1";
  s.real_time = mgmt::effective(parsed.config, *n, "RealtimeScheduler") == "1";
  s.redo.file_bytes = mgmt::effective_number(parsed.config, *n, "FragmentLogFileSize");
  s.redo.files = static_cast<std::uint32_t>(mgmt::effective_number(parsed.config, *n, "NoOfFragmentLogFiles"));
  return s;
}

}  // namespace

Result<Settings> fetch_settings(const cli::ConnectString& servers, NodeId id, const Options& o) {
  for (int attempt = 0;; attempt++) {
    cli::Management m(servers);
    auto reply = m.ask("ndb get config", {{"generation", "0"}, {"effective", "0"}});
    if (reply.ok() && !reply->bulk.empty()) {
      auto s = settings_for(id, reply->bulk, reply->value("disabled"));
      if (s.ok()) s->cluster = std::strtoull(reply->value("cluster_id").c_str(), nullptr, 10);
      return s;
    }
    const Failure why =
        reply.ok() ? Failure{Error::not_ready, "the configuration is not confirmed yet"} : reply.failure();
    if (!is_temporary(why.error) && why.error != Error::no_such_generation) return why;
    if (attempt >= o.connect_retries) return why;
    usleep(static_cast<useconds_t>(o.connect_retry_delay_s) * (attempt < 10 ? 20000 : 1000000));
  }
}

}  // namespace ndb::node_program
