#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "mgmt/config_diff.h"

using namespace ndb;
using namespace ndb::mgmt;

namespace {

const std::string kBase =
    "[system]\nName=hall\n[mgm]\nNodeId=49\nHostName=m1\n"
    "[ndbd default]\nDataMemory=512M\n"
    "[ndbd]\nNodeId=1\nHostName=a\n[ndbd]\nNodeId=2\nHostName=b\n[ndbd]\nNodeId=3\nHostName=c\n["
    "ndbd]\nNodeId=4\nHostName=d\n"
    "[api]\nNodeId=60\n";

Config config(const std::string& text) {
  const ParseResult r = parse_ini(text);
  for (const Problem& p : r.problems) UNSCOPED_INFO(problem_line(p));
  REQUIRE(r.ok());
  return r.config;
}

// kBase with one piece replaced.
Config with(const std::string& old_text, const std::string& new_text) {
  std::string text = kBase;
  const auto at = text.find(old_text);
  REQUIRE(at != std::string::npos);
  return config(text.replace(at, old_text.size(), new_text));
}
Config with_default(const std::string& lines) { return with("DataMemory=512M\n", "DataMemory=512M\n" + lines); }

std::string text(const Config& a, const Config& b) { return diff_text(diff(a, b)); }

std::string judged(const Config& a, const Config& b) {
  std::string out;
  for (const Problem& p : check_change(a, b)) out += problem_line(p) + "\n";
  return out;
}

std::string plan(const Config& a, const Config& b, bool stock = false) {
  return plan_text(restart_plan(diff(a, b), b, stock));
}

}  // namespace

TEST_CASE("equal configurations have no difference, however they are written") {
  const Config base = config(kBase);
  CHECK(diff(base, base).empty());
  CHECK(judged(base, base).empty());
  CHECK(plan(base, base) == "no node needs to restart\n");
  // The default moved into the nodes, units changed, a default of the table written down.
  CHECK(diff(base, config("[system]\nName=hall\n[mgm]\nNodeId=49\nHostName=m1\nPortNumber=1186\n"
                          "[ndbd]\nNodeId=1\nHostName=a\nDataMemory=524288K\nNodeGroup=0\n"
                          "[ndbd]\nNodeId=2\nHostName=b\nDataMemory=512M\n"
                          "[ndbd]\nNodeId=3\nHostName=c\nDataMemory=512M\n[ndbd]\nNodeId="
                          "4\nHostName=d\nDataMemory=512M\n"
                          "[api]\nNodeId=60\n[tcp]\nNodeId1=1\nNodeId2=2\nChecksum=0\n"))
            .empty());
  // Without a name the cluster keeps its own.
  CHECK(diff(base, with("[system]\nName=hall\n", "")).empty());
}

TEST_CASE("a changed value: blocks as NDB prints them, with what it takes") {
  const Config b = with("HostName=b\n", "HostName=b\nDataMemory=1G\nServerPort=2000\nODirect=1\n");
  CHECK(text(config(kBase), b) ==
        "[ndbd(DB)]\nNodeId=2\n"
        "-DataMemory=536870912\n+DataMemory=1073741824    # online\n"
        "-ODirect=0\n+ODirect=1    # not used here\n"
        "+ServerPort=2000    # N: restart of the node\n");
  CHECK(text(b, config(kBase)) ==
        "[ndbd(DB)]\nNodeId=2\n"
        "-DataMemory=1073741824\n+DataMemory=536870912    # N: restart of the node\n"
        "-ODirect=1\n+ODirect=0    # not used here\n"
        "-ServerPort=2000    # N: restart of the node\n");
}

TEST_CASE("nodes and links that come, go and change") {
  const Config base = config(kBase);
  const Config more = with("[api]",
                           "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n[tcp default]\nChecksum=1\n"
                           "[tcp]\nNodeId1=2\nNodeId2=1\nSendBufferMemory=4M\n[shm]\nNodeId1=5\nNodeId2=1\n[api]");
  CHECK(text(base, more) ==
        "[ndbd(DB)]\nNodeId=5\nNode added\n\n"
        "[TCP default]\n-Checksum=0\n+Checksum=1    # not used here\n\n"
        "[TCP]\nNodeId1=1\nNodeId2=2\n-SendBufferMemory=2097152\n+SendBufferMemory=4194304    # "
        "not used here\n\n"
        "[SHM]\nNodeId1=1\nNodeId2=5\nConnection added\n");
  CHECK(text(more, base) ==
        "[ndbd(DB)]\nNodeId=5\nNode removed\n\n"
        "[TCP default]\n-Checksum=1\n+Checksum=0    # not used here\n\n"
        "[TCP]\nNodeId1=1\nNodeId2=2\n-SendBufferMemory=4194304\n+SendBufferMemory=2097152    # "
        "not used here\n\n"
        "[SHM]\nNodeId1=1\nNodeId2=5\nConnection removed\n");
}

TEST_CASE("a difference as JSON") {
  const auto j = nlohmann::json::parse(
      diff_json(diff(config(kBase), with("[api]\nNodeId=60", "[api]\nNodeId=60\nBatchSize=9\n[api]"))));
  CHECK(j["format_version"] == 1);
  REQUIRE(j["changes"].size() == 2);
  CHECK(j["changes"][0] == nlohmann::json::parse(R"({"section":"mysqld","nodes":[60],"change":"changed",
        "parameter":"BatchSize","old":"256","new":"9","restart":"N","used":false,"affected":[60]})"));
  CHECK(j["changes"][1] ==
        nlohmann::json::parse(R"({"section":"mysqld","nodes":[61],"change":"added","affected":[61]})"));
}

TEST_CASE("what cannot be changed") {
  const Config base = config(kBase);
  CHECK(judged(base, with("Name=hall", "Name=house")) ==
        "error: the name of a cluster cannot change ('hall' to 'house'); start a new cluster under "
        "the new name and restore a "
        "backup into it\n");
  CHECK(judged(base, with_default("NoOfReplicas=4\n")) ==
        "error: NoOfReplicas cannot change from '2' to '4' in a cluster that lives (nodes 1, 2, 3, "
        "4); take a backup, start "
        "a new cluster with the new number, and restore\n");
  CHECK(judged(base, with("[api]\nNodeId=60", "[api]\nNodeId=61\n[mgm]\nPortNumber=2\nHostName=m1\nNodeId=60"))
            .find("error: node 60 cannot change from mysqld to ndb_mgmd; take a node id that was "
                  "not used before\n") == 0);
  CHECK(judged(base, with("HostName=a\n[ndbd]\nNodeId=2\nHostName=b\n[ndbd]\nNodeId=3\nHostName=c\n",
                          "HostName=a\nNodeGroup=1\n[ndbd]\nNodeId=2\nHostName=b\n[ndbd]\nNodeId="
                          "3\nHostName=c\nNodeGroup=0\n")) ==
        "error: NodeGroup of data node 1 cannot change from '0' to '1'; node groups are made and "
        "dropped with "
        "ndb-nodegroup, and tables move with ndb-reorg\n"
        "error: NodeGroup of data node 3 cannot change from '1' to '0'; node groups are made and "
        "dropped with "
        "ndb-nodegroup, and tables move with ndb-reorg\n");
  CHECK(judged(with_default("NoOfFragmentLogParts=8\n"), base) ==
        "error: NoOfFragmentLogParts of nodes 1, 2, 3, 4 cannot go down from '8' to '4'; it may "
        "only grow\n");
}

TEST_CASE("what NDB takes and somebody must want") {
  const Config base = config(kBase);
  auto starts = [](const std::string& s, const std::string& what) { return s.substr(0, what.size()) == what; };
  CHECK(starts(judged(base, with("HostName=b", "HostName=x")),
               "warning: HostName of data node 2 changes from 'b' to 'x': "));
  CHECK(starts(judged(base, with("HostName=b", "HostName=b\nServerPort=1")),
               "warning: ServerPort of node 2 changes from nothing to '1': "));
  CHECK(starts(judged(base, with("HostName=m1", "HostName=m2")), "warning: HostName of management node 49 changes"));
  CHECK(starts(judged(base, with("HostName=m1", "HostName=m1\nPortNumber=1")),
               "warning: PortNumber of management node 49"));
  CHECK(judged(base, with_default("DataDir=/x\n")) ==
        "warning: DataDir of nodes 1, 2, 3, 4 changes from '.' to '/x': the node does not find its "
        "files there; restart it "
        "with --initial, or move them while it is down\n");
  CHECK(starts(judged(base, with_default("BackupDataDir=/x\n")), "warning: BackupDataDir of nodes 1, 2, 3, 4"));
  CHECK(starts(judged(base, with_default("FileSystemPath=/x\n")), "warning: BackupDataDir") == false);
  CHECK(starts(judged(base, with_default("NoOfFragmentLogParts=8\n")), "warning: NoOfFragmentLogParts of nodes"));
  CHECK(starts(judged(base, with_default("NoOfFragmentLogFiles=8\n")), "warning: NoOfFragmentLogFiles of nodes"));
  CHECK(starts(judged(base, with_default("FragmentLogFileSize=8M\n")), "warning: FragmentLogFileSize of nodes"));
  CHECK(starts(judged(base, with_default("Diskless=1\n")), "warning: Diskless of nodes"));
  CHECK(starts(judged(base, with_default("LockPagesInMainMemory=1\n")), "warning: LockPagesInMainMemory of nodes"));
  CHECK(starts(judged(base, with("DataMemory=512M", "DataMemory=511M")),
               "warning: DataMemory of nodes 1, 2, 3, 4 is lowered from '536870912' to '535822336': "));
  CHECK(judged(base, with("DataMemory=512M", "DataMemory=513M")).empty());
  CHECK(starts(judged(base, with_default("MaxNoOfTables=100\n")), "warning: MaxNoOfTables of nodes"));
  CHECK(judged(base, with_default("MaxNoOfTables=200\n")).empty());
  CHECK(judged(base, with_default("TransactionInactiveTimeout=1000\n")).empty());
  CHECK(starts(judged(with("[api]", "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n[api]"), base),
               "warning: data node 5 would be removed: "));
  CHECK(judged(base, with("[api]", "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n[api]\n[api]")).empty());
  CHECK(starts(judged(base, with("[api]", "[mgm]\nNodeId=50\nHostName=m2\n[api]")),
               "warning: management node 50 is new"));
  CHECK(starts(judged(with("[api]", "[mgm]\nNodeId=50\nHostName=m2\n[api]"), base),
               "warning: management node 50 would be"));
}

TEST_CASE("heartbeats change in steps of at most two") {
  const std::string five = "HeartbeatIntervalDbDb=5000\n";
  const Config base = with_default(five);
  CHECK(judged(base, with_default("HeartbeatIntervalDbDb=10000\nHeartbeatIntervalDbApi=750\n")).empty());
  CHECK(judged(base, with_default("HeartbeatIntervalDbDb=10001\n")).find("go in steps: 10000, 10001\n") !=
        std::string::npos);
  CHECK(judged(base, with_default(five + "HeartbeatIntervalDbApi=10000\n")).find("go in steps: 3000, 6000, 10000\n") !=
        std::string::npos);
  CHECK(judged(base, with_default("HeartbeatIntervalDbDb=1000\n")).find("go in steps: 2500, 1250, 1000\n") !=
        std::string::npos);
}

// NDB's defaults of these are others than what is obeyed here when nobody has written a value.
TEST_CASE("what is obeyed without being written is what is shown and compared") {
  const Config base = config(kBase);
  CHECK(effective(base, base.nodes[0], "HeartbeatIntervalDbDb") == "50");
  CHECK(effective_values(base, base.nodes[0]).at("LogLevelStartup") == "7");
  CHECK(judged(base, with_default("HeartbeatIntervalDbDb=100\n")).empty());
  CHECK(judged(base, with_default("HeartbeatIntervalDbDb=5000\n")).find("from '50' to '5000', more than") !=
        std::string::npos);
  CHECK(diff(base, with_default("HeartbeatIntervalDbDb=50\nLogLevelStartup=7\n")).empty());
}

TEST_CASE("nodes in reserve may move and be enabled") {
  const std::string rest = "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n";
  const Config resting = with("[api]", rest + "Disabled=1\n[api]");
  const Config enabled = with("[api]", rest + "[api]");
  CHECK(judged(resting, enabled).empty());
  CHECK(text(resting, enabled) == "[ndbd(DB)]\nNodeId=5\n-Disabled=1\n+Disabled=0    # online\n");
  CHECK(judged(resting, with("[api]", "[ndbd]\nNodeId=5\nHostName=z\nServerPort=5\nNodeGroup=65536\nDisabled=1\n[api]"))
            .empty());
  CHECK(plan(resting, enabled) == "applied to running nodes: Disabled\nno node needs to restart\n");
  // The line is tidied away after the group was made: nothing happens, but say so.
  const Config tidied = with("[api]", "[ndbd]\nNodeId=5\nHostName=e\n[ndbd]\nNodeId=6\nHostName=f\n[api]");
  CHECK(judged(with("[api]", rest + "[ndbd]\nNodeId=6\nHostName=f\nNodeGroup=65536\n[api]"), tidied)
            .find("warning: NodeGroup of data nodes 5, 6 is no longer 65536") == 0);
}

TEST_CASE("the plan restarts no two members of a group in a row") {
  const Config base = config(kBase);
  CHECK(plan(base, with_default("StartFailureTimeout=60000\n")) ==
        "1. restart node 1 (StartFailureTimeout)\n2. restart node 3 (StartFailureTimeout)\n3. restart node 2 "
        "(StartFailureTimeout)\n"
        "4. restart node 4 (StartFailureTimeout)\n");
  CHECK(plan(base,
             with_default(
                 "NoOfFragmentLogFiles=8\nStartFailureTimeout=60000\nTimeBetweenGlobalCheckpoints=500\nODirect=1\n")) ==
        "applied to running nodes: TimeBetweenGlobalCheckpoints\n"
        "1. restart node 1 with --initial (NoOfFragmentLogFiles, StartFailureTimeout)\n"
        "2. restart node 3 with --initial (NoOfFragmentLogFiles, StartFailureTimeout)\n"
        "3. restart node 2 with --initial (NoOfFragmentLogFiles, StartFailureTimeout)\n"
        "4. restart node 4 with --initial (NoOfFragmentLogFiles, StartFailureTimeout)\n");
  CHECK(plan(base, with("HostName=m1\n", "HostName=m1\nPortNumber=5\n")) == "1. restart node 49 (PortNumber)\n");
  CHECK(plan(base, with_default("NoOfReplicas=4\n")) ==
        "1. take a backup, start a new cluster, restore (NoOfReplicas)\n");
  const Config more = with("[api]", "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n[api]");
  CHECK(plan(base, more) == "no node needs to restart\n");
}

TEST_CASE("a cluster of NDB itself has to restart more") {
  const Config base = config(kBase);
  const Config more = with("[api]", "[ndbd]\nNodeId=5\nHostName=e\nNodeGroup=65536\n[api]");
  CHECK(plan(base, more, true) ==
        "1. restart node 1 (node 5 added)\n2. restart node 3 (node 5 added)\n3. restart node 2 "
        "(node 5 added)\n"
        "4. restart node 4 (node 5 added)\n5. restart node 60 (node 5 added)\n");
  CHECK(plan(base, with("DataMemory=512M", "DataMemory=513M"), true).substr(0, 30) == "1. restart node 1 (DataMemory)");
  CHECK(plan(base, with("HostName=b", "HostName=x"), true) == "1. stop and start all data nodes (HostName)\n");
}
