#include "options.h"

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>

#include "env/limits.h"

namespace bench {

using namespace ndb;

namespace {

void usage(FILE* to) {
  std::fputs(
      "usage: ndb-bench [--start | --connectstring=S] [option ...]\n"
      "  --start             start two data nodes and a management server on loopback, and end them afterwards\n"
      "  --connectstring=S   an existing cluster; else NDB_CONNECTSTRING, ndb.toml, localhost:1186\n"
      "  --rows=N            rows of the table (1024000)\n"
      "  --threads=T         clients, a thread each (4)\n"
      "  --inflight=P        transactions in flight of each client (64); at a fixed rate up to 4096\n"
      "  --ops-per-txn=K     operations in a transaction (1)\n"
      "  --phases=LIST       of insert, read, update, delete, mix, multi, scan, half, durable, import\n"
      "                      (insert,read,update,read,delete). multi: transactions over two fragments or more; scan: "
      "counts\n"
      "                      with a filter; half: reads at half the rate of the phases 'read' before it; durable: "
      "updates one\n"
      "                      after the other, each on disk before the next; import: ndb-import into a table of its "
      "own\n"
      "  --mix=R/W           add a phase of R % reads and W % updates before the last one\n"
      "  --operations=N      in each phase but insert and delete (as many as rows)\n"
      "  --rate=R            transactions a second in all, by the clock (as fast as possible)\n"
      "  --nodes=N --workers=W --memory=MB   of the cluster that --start starts (2, 1, enough)\n"
      "  --worker-threads=WHEN   of its data nodes: yes, no, auto (auto); see ndb-node(8)\n"
      "  --by-thread         what each thread of its data nodes has used in each phase\n"
      "  --pids=LIST         other processes whose processor time is shown\n"
      "  --table=NAME        dropped, created and dropped (ndb_bench)\n"
      "  --keep-table        do not drop it at the end\n"
      "  --vs-redis          three times in turn with redis-server and redis-benchmark; prints the ratios\n"
      "  --histogram         the latency buckets of each phase\n"
      "  --json              one line of JSON at the end instead of the table\n"
      "  --diskless          the cluster that --start starts keeps nothing on disk\n"
      "  --set=NAME=VALUE    a parameter of that cluster's data nodes; may be given again\n"
      "  --keep              the scratch directory of --start\n",
      to);
}

std::uint64_t number(const char* name, const char* text, std::uint64_t least, std::uint64_t most) {
  char* end = nullptr;
  const unsigned long long v = std::strtoull(text, &end, 10);
  if (*text == 0 || *end != 0 || v < least || v > most) {
    fail("--" + std::string(name) + "=" + text + " is not a number from " + std::to_string(least) + " to " +
             std::to_string(most),
         2);
  }
  return v;
}

struct Known {
  const char* name;
  bool argument;
  std::function<void(const char*)> set;
};

// "95/5"
void read_mix(Options& o, const std::string& ratio) {
  o.read_percent = static_cast<std::uint32_t>(number("mix", ratio.substr(0, ratio.find('/')).c_str(), 0, 100));
  o.mix = true;
}

void add_pids(Options& o, const std::string& text) {
  std::istringstream list(text);
  for (std::string p; std::getline(list, p, ',');)
    o.pids.push_back(static_cast<pid_t>(number("pids", p.c_str(), 1, 1u << 22)));
}

std::vector<Known> known(Options& o) {
  auto text = [](const char* name, std::string& to) { return Known{name, true, [&to](const char* t) { to = t; }}; };
  auto flag = [](const char* name, bool& to) { return Known{name, false, [&to](const char*) { to = true; }}; };
  auto count = [](const char* name, auto& to, std::uint64_t least, std::uint64_t most) {
    return Known{name, true, [name, &to, least, most](const char* t) {
                   to = static_cast<std::remove_reference_t<decltype(to)>>(number(name, t, least, most));
                 }};
  };
  return {
      flag("start", o.start),
      text("connectstring", o.connectstring),
      count("rows", o.rows, 1000, 1u << 30),
      count("threads", o.threads, 1, 256),
      count("inflight", o.inflight, 1, limits::kClientWritesMax),
      count("ops-per-txn", o.per_transaction, 1, 1000),
      text("phases", o.phases),
      {"mix", true, [&o](const char* t) { read_mix(o, t); }},
      count("operations", o.operations, 1, 1u << 30),
      count("rate", o.rate, 1, 1u << 30),
      count("nodes", o.nodes, 2, 16),
      count("workers", o.workers, 1, limits::kWorkersMax),
      count("memory", o.memory_mb, 16, 1u << 20),
      text("worker-threads", o.worker_threads),
      flag("by-thread", o.by_thread),
      {"pids", true, [&o](const char* t) { add_pids(o, t); }},
      text("table", o.table),
      flag("keep-table", o.keep_table),
      flag("vs-redis", o.vs_redis),
      flag("histogram", o.histogram),
      flag("json", o.json),
      flag("diskless", o.diskless),
      {"set", true, [&o](const char* t) { o.parameters += std::string(t) + "\n"; }},
      flag("keep", o.keep),
      {"help", false,
       [](const char*) {
         usage(stdout);
         std::exit(0);
       }},
  };
}

}  // namespace

Options parse(int argc, char** argv) {
  Options o;
  const std::vector<Known> all = known(o);
  std::vector<option> longs;
  for (const Known& k : all) longs.push_back({k.name, k.argument ? 1 : 0, nullptr, 0});
  longs.push_back({nullptr, 0, nullptr, 0});
  int index = 0;
  for (int c; (c = ::getopt_long(argc, argv, "", longs.data(), &index)) != -1;) {
    if (c != 0) {
      usage(stderr);
      std::exit(2);
    }
    all[static_cast<std::size_t>(index)].set(optarg);
  }
  if (optind != argc) fail("unexpected argument '" + std::string(argv[optind]) + "'", 2);
  if (o.start && !o.connectstring.empty()) fail("--start and --connectstring exclude each other", 2);
  if (!o.start && !o.parameters.empty()) fail("--set is for the cluster that --start starts", 2);
  if (o.mix) {
    const std::size_t last = o.phases.rfind(',');
    o.phases.insert(last == std::string::npos ? o.phases.size() : last, ",mix");
  }
  if (o.memory_mb == 0) o.memory_mb = std::max<std::uint64_t>(256, o.rows * 220 / (1u << 20));
  return o;
}

}  // namespace bench
