#include "mgmt/text_commands.h"

namespace ndb::mgmt {

namespace {

#define NDB_BULK "#Content-Length!,Content-Type,Content-Transfer-Encoding"
#define NDB_CHANGE "request,#expect_version,#dry_run"

constexpr CommandSpec kCommands[] = {
    // --- NDB: session
    {"get version", ""},
    {"set clientversion", "#major!,#minor!,#build!"},
    {"check connection", ""},
    {"get mgmd nodeid", ""},
    {"get session id", ""},
    {"get session", "#id!"},
    {"list sessions", ""},
    {"purge stale sessions", ""},
    {"end session", ""},
    {"bye", ""},
    {"start tls", ""},
    {"list certs", ""},
    {"get tls stats", ""},
    {"transporter connect", ""},
    // --- NDB: status
    {"get status", "types"},
    {"get info clusterlog", ""},
    {"get cluster loglevel", ""},
    {"show config", "Section,#NodeId,Name"},
    {"show variables", ""},
    // --- NDB: node ids and configuration
    {"get nodeid", "#version!,#nodetype!,#nodeid,user!,password!,public key!,endian,name,#timeout,#log_event"},
    {"get config", "#version!,#node,#nodetype,#from_node"},
    {"get config_v2", "#version!,#node,#nodetype,#from_node"},
    {"set config", "#Content-Length!,Content-Type!,Content-Transfer-Encoding!"},
    {"set config_v2", "#Content-Length!,Content-Type!,Content-Transfer-Encoding!"},
    {"reload config", "config_filename,#mycnf,#force"},
    {"set ports", "#node!,#num_ports!,*"},
    {"get connection parameter", "#node1!,#node2!,#param!"},
    {"set connection parameter", "#node1!,#node2!,#param!,#value!"},
    {"set parameter", "node!,parameter!,value!"},
    // --- NDB: start and stop
    {"start", "#node!"},
    {"start all", ""},
    {"stop", "node!,#abort!"},
    {"stop v2", "node!,#abort!,#force"},
    {"stop all", "#abort!,stop"},
    {"restart node", "node!,#initialstart,#nostart,#abort"},
    {"restart node v2", "node!,#initialstart,#nostart,#abort,#force"},
    {"restart all", "#initialstart,#nostart,#abort"},
    {"enter single user", "#nodeId!"},
    {"exit single user", ""},
    // --- NDB: node groups and backup
    {"create nodegroup", "nodes!"},
    {"drop nodegroup", "#ng!"},
    {"start backup", "#completed,#backupid,#backuppoint,encryption_password,#password_length"},
    {"abort backup", "#id!"},
    // --- NDB: logs and events
    {"set loglevel", "#node!,category!,#level!"},
    {"set cluster loglevel", "#node!,category!,#level!"},
    {"set logfilter", "#level!,#enable!"},
    {"listen event", "#node,#parsable,filter!"},
    {"report event", "#length!,data!"},
    {"dump events", "#type!,nodes"},
    {"dump state", "#node!,args!"},
    {"insert error", "#node!,#error!"},
    {"set trace", "#node!,#trace!"},
    {"log signals", "#node!,blocks!,#in!,#out!"},
    {"start signallog", "#node!"},
    {"stop signallog", "#node!"},
    // --- our own: asking
    {"ndb check connection", ""},
    {"ndb status", ""},
    {"ndb wait", "#version,#timeout"},
    {"ndb get catalog", "#have"},
    {"ndb get config", "#generation,#effective"},
    {"ndb config history", "#limit"},
    {"ndb list tables", ""},
    {"ndb describe table", "name!"},
    {"ndb list jobs", ""},
    {"ndb show job", "#job"},
    {"ndb list events", "#after,#limit"},
    // --- our own: changing
    {"ndb apply config", NDB_BULK "," NDB_CHANGE ",#expect_generation,message,who,source,#accept_warnings"},
    {"ndb rollback config", NDB_CHANGE ",#generation!,#expect_generation,message,who"},
    {"ndb create nodegroup", NDB_CHANGE ",nodes!"},
    {"ndb drop nodegroup", NDB_CHANGE ",#group!"},
    {"ndb create table", NDB_BULK "," NDB_CHANGE},
    {"ndb drop table", NDB_CHANGE ",name!,#if_exists"},
    {"ndb start reorg", NDB_CHANGE ",table!,#resume_on_failure,drain"},
    {"ndb cancel reorg", NDB_CHANGE ",#job"},
    {"ndb enable node", NDB_CHANGE ",#node!"},
    {"ndb disable node", NDB_CHANGE ",#node!"},
    // --- our own: processes
    {"ndb stop node", "nodes!,#abort,#force"},
    {"ndb restart node", "nodes!,#initial,#nostart,#abort,#force"},
    {"ndb start node", "nodes!"},
    {"ndb set live", "nodes!,name!,value,#keep"},
};

#undef NDB_BULK
#undef NDB_CHANGE

}  // namespace

std::span<const CommandSpec> text_commands() noexcept { return kCommands; }

}  // namespace ndb::mgmt
