// Text sessions: requests in, each answered once, in order.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

std::string reply_header(const Request& r) {
  std::string_view name = r.command->name;
  for (std::string_view suffix : {" v2", "_v2"}) {  // newer forms of a request, answered as the older ones
    if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  }
  return std::string(name) + " reply";
}

namespace {

constexpr Time kWaitMax = 60 * kSecond;         // of `ndb wait`
constexpr Time kKnownEverywhere = 2 * kSecond;  // so long a change that every data node is to know waits for the last

// All but what is about the session, the log of events, or the stored configuration that data nodes ask for before they
// can help to find a leader.
bool asks_catalog(const Request& r) {
  static const std::set<std::string_view> alone = {
      "get version",         "set clientversion", "check connection",     "get mgmd nodeid",     "get session id",
      "get session",         "list sessions",     "purge stale sessions", "end session",         "bye",
      "start tls",           "list certs",        "get tls stats",        "transporter connect", "get info clusterlog",
      "set logfilter",       "listen event",      "report event",         "ndb list events",     "ndb wait",
      "ndb check connection"};
  if (r.command->name == "ndb get config") return r.number("generation") != 0 || r.number("effective") != 0;
  return alone.count(r.command->name) == 0;
}

}  // namespace

// NDB's commands.
Server::Handlers Server::stock_handlers() {
  return {
      {"get version", &Server::get_version},
      {"set clientversion", &Server::set_client_version},
      {"check connection", &Server::check_connection},
      {"get mgmd nodeid", &Server::get_mgmd_nodeid},
      {"get session id", &Server::get_session_id},
      {"get session", &Server::get_session},
      {"list sessions", &Server::list_sessions},
      {"purge stale sessions", &Server::purge_stale_sessions},
      {"end session", &Server::end_session_request},
      {"bye", &Server::bye},
      {"start tls", &Server::start_tls},
      {"list certs", &Server::list_certs},
      {"get tls stats", &Server::get_tls_stats},
      {"transporter connect", &Server::transporter_connect},
      {"get status", &Server::get_status},
      {"get info clusterlog", &Server::get_clusterlog},
      {"get cluster loglevel", &Server::get_loglevel},
      {"show config", &Server::show_config},
      {"show variables", &Server::show_variables},
      {"get nodeid", &Server::get_nodeid},
      {"get config", &Server::get_config},
      {"get config_v2", &Server::get_config},
      {"set config", &Server::set_config},
      {"set config_v2", &Server::set_config},
      {"reload config", &Server::reload_config},
      {"set ports", &Server::set_ports},
      {"get connection parameter", &Server::get_connection_parameter},
      {"set connection parameter", &Server::set_connection_parameter},
      {"set parameter", &Server::refuse_test_command},
      {"start", &Server::start_node},
      {"start all", &Server::start_all},
      {"stop", &Server::stop_node},
      {"stop v2", &Server::stop_node},
      {"stop all", &Server::stop_all},
      {"restart node", &Server::restart_node},
      {"restart node v2", &Server::restart_node},
      {"restart all", &Server::restart_all},
      {"enter single user", &Server::enter_single_user},
      {"exit single user", &Server::exit_single_user},
      {"create nodegroup", &Server::create_nodegroup},
      {"drop nodegroup", &Server::drop_nodegroup},
      {"start backup", &Server::refuse_backup},
      {"abort backup", &Server::refuse_backup},
      {"set loglevel", &Server::set_loglevel},
      {"set cluster loglevel", &Server::set_loglevel},
      {"set logfilter", &Server::set_logfilter},
      {"listen event", &Server::listen_event},
      {"report event", &Server::report_event},
      {"dump events", &Server::dump_events},
      {"dump state", &Server::dump_state},
      {"insert error", &Server::refuse_test_command},
      {"set trace", &Server::refuse_test_command},
      {"log signals", &Server::refuse_test_command},
      {"start signallog", &Server::refuse_test_command},
      {"stop signallog", &Server::refuse_test_command},
  };
}

Server::Handlers Server::own_handlers() {
  return {
      {"ndb check connection", &Server::check_connection},
      {"ndb status", &Server::ndb_status},
      {"ndb wait", &Server::ndb_wait},
      {"ndb get catalog", &Server::ndb_get_catalog},
      {"ndb get config", &Server::ndb_get_config},
      {"ndb config history", &Server::ndb_config_history},
      {"ndb list tables", &Server::ndb_list_tables},
      {"ndb describe table", &Server::ndb_describe_table},
      {"ndb list jobs", &Server::ndb_list_jobs},
      {"ndb show job", &Server::ndb_show_job},
      {"ndb list events", &Server::ndb_list_events},
      {"ndb apply config", &Server::ndb_apply_config},
      {"ndb rollback config", &Server::ndb_rollback_config},
      {"ndb create nodegroup", &Server::ndb_create_nodegroup},
      {"ndb drop nodegroup", &Server::ndb_drop_nodegroup},
      {"ndb create table", &Server::ndb_create_table},
      {"ndb drop table", &Server::ndb_drop_table},
      {"ndb start reorg", &Server::ndb_start_reorg},
      {"ndb cancel reorg", &Server::ndb_cancel_reorg},
      {"ndb enable node", &Server::ndb_enable_node},
      {"ndb disable node", &Server::ndb_disable_node},
      {"ndb stop node", &Server::ndb_stop_node},
      {"ndb restart node", &Server::ndb_restart_node},
      {"ndb start node", &Server::ndb_start_node},
      {"ndb set live", &Server::ndb_set_live},
  };
}

const Server::Handlers& Server::handlers() {
  static const Handlers table = [] {
    Handlers all = stock_handlers();
    all.merge(own_handlers());
    return all;
  }();
  return table;
}

void Server::on_text(const env::Event& event) {
  auto i = sessions_.find(event.link);
  if (i == sessions_.end()) return;
  Session& s = *i->second;
  if (s.ending || s.listening) return;
  s.reader.feed(event.data);
  if (s.reader.unread() > 2 * limits::kTextBulkBytesMax) {
    out_->log(env::Severity::warning, "closing the session of " + s.address + ": it sends without waiting for answers");
    s.ending = true;
    out_->close(s.link);
    return;
  }
  s.arrived = event.data.size();
  read_requests(s);
  if (auto again = sessions_.find(event.link); again != sessions_.end()) again->second->arrived = 0;
}

void Server::read_requests(Session& s) {
  Request r;
  std::string complaint;
  const env::LinkId link = s.link;
  while (!s.busy && !s.ending && !s.listening) {
    switch (s.reader.next(&r, &complaint)) {
      case RequestReader::Got::nothing:
        return;
      case RequestReader::Got::request: {
        auto handler = handlers().find(r.command->name);
        NDB_CHECK(handler != handlers().end());
        if (asks_catalog(r) && !settled()) {
          std::string bulk = std::move(r.bulk);
          Waiting& w = wait(s, r, settle_until_);
          w.kind = Waiting::Kind::catalog;
          w.request.bulk = std::move(bulk);
          return;
        }
        (this->*handler->second)(s, r);
        break;
      }
      case RequestReader::Got::complaint:
        answer(s, "result: " + complaint + "\n\n");
        break;
      case RequestReader::Got::broken:
        answer(s, "result: " + complaint + "\n\n");
        out_->log(env::Severity::warning, "closing the session of " + s.address + ": " + complaint);
        s.ending = true;
        out_->close(link);
        break;
    }
    if (sessions_.find(link) == sessions_.end()) return;  // it has become a frame link
  }
}

void Server::answer(Session& s, std::string bytes) {
  s.busy = false;
  out_->link(s.link).raw(bytes);
}

void Server::complain(Session& s, const Request& request, const Failure& failure) {
  answer(s, Reply(reply_header(request)).failed(failure).done());
}

void Server::end_session(env::LinkId link) {
  auto i = sessions_.find(link);
  if (i == sessions_.end()) return;
  std::erase_if(waiting_, [&](const auto& w) { return w->link == link; });  // what was proposed goes on
  std::erase_if(reserved_, [&](const auto& r) { return r.second.session == i->second->number; });
  sessions_.erase(i);
}

Session* Server::session(env::LinkId link, std::uint64_t number) {
  auto i = sessions_.find(link);
  return i != sessions_.end() && i->second->number == number ? i->second.get() : nullptr;
}

Server::Waiting& Server::wait(Session& s, const Request& request, Time deadline) {
  s.busy = true;
  auto w = std::make_unique<Waiting>();
  w->link = s.link;
  w->session = s.number;
  w->request = request;
  w->request.bulk.clear();
  w->deadline = deadline;
  waiting_.push_back(std::move(w));
  return *waiting_.back();
}

// Answers those whose time or whose version has come, and reads on in the sessions that have been answered.
void Server::check_waiting() {
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    Waiting& w = *waiting_[i];
    if (w.done) continue;
    const bool over = now_ >= w.deadline;
    switch (w.kind) {
      case Waiting::Kind::change:
        break;  // drain() finishes it
      case Waiting::Kind::gather:
        if (w.gather->missing.empty() || over) finish_gather(w);
        break;
      case Waiting::Kind::version:
        finish_version(w, over);
        break;
      case Waiting::Kind::node_id:
        finish_node_id(w, over);
        break;
      case Waiting::Kind::host_names:
        finish_host_names(w, over);
        break;
      case Waiting::Kind::catalog:
        if (settled()) resume(w);
        break;
      case Waiting::Kind::everywhere:
        if (over || known_everywhere(w.above)) answer_change(w, w.outcome);
        break;
    }
    if (!waiting_[i]->done) out_->wake_at(waiting_[i]->deadline);
  }
  std::vector<std::pair<env::LinkId, std::uint64_t>> free;
  std::erase_if(waiting_, [&](const auto& w) {
    if (w->done) free.emplace_back(w->link, w->session);
    return w->done;
  });
  for (const auto& [link, number] : free) {
    if (Session* s = session(link, number); s != nullptr && !s->busy && s->reader.unread() > 0) {
      read_requests(*s);
      out_->wake_at(now_);  // what it asked for may have an answer already
    }
  }
}

// A request that came before the catalog was known. `w` may have moved when this returns.
void Server::resume(Waiting& w) {
  w.done = true;
  Session* s = session(w.link, w.session);
  if (s == nullptr) return;
  s->busy = false;
  const Request request = std::move(w.request);
  (this->*handlers().at(request.command->name))(*s, request);
}

void Server::finish_version(Waiting& w, bool over) {
  const bool newer = seen_->version > w.above;
  Session* s = session(w.link, w.session);
  if (s == nullptr || (!newer && !over)) return;
  Reply reply(reply_header(w.request));
  reply.ok().key("version", seen_->version).key("view", seen_->view).key("generation", seen_->generation);
  answer(*s, reply.key("changed", newer ? 1 : 0).done());
  w.done = true;
}

void Server::ndb_wait(Session& s, const Request& r) {
  const std::int64_t ms = std::clamp<std::int64_t>(r.number("timeout", 30000), 0, kWaitMax / kMillisecond);
  Waiting& w = wait(s, r, now_ + ms * kMillisecond);
  w.above = static_cast<Version>(std::max<std::int64_t>(r.number("version"), 0));
}

void Server::change(Session& s, const Request& r, meta::CommandBody body, std::string bulk) {
  meta::Command c;
  c.body = std::move(body);
  c.expect_version = static_cast<Version>(std::max<std::int64_t>(r.number("expect_version"), 0));
  if (r.has("request") && !parse_request_id(r.text("request"), &c.request)) {
    complain(s, r, {Error::bad_message, "'request' is not made of 32 hexadecimal digits"});
    return;
  }
  if (r.number("dry_run") != 0) {
    answer(s, change_reply(r, c.request, meta::dry_run(*catalog(), c), bulk));
    return;
  }
  if (!member_started_) {
    complain(s, r, {Error::not_leader, "the management servers of the first configuration are not complete yet"});
    return;
  }
  const meta::RequestId id = member_->propose(now_, std::move(c));
  Waiting& w = wait(s, r, kNever);
  w.kind = Waiting::Kind::change;
  w.id = id;
  w.bulk = std::move(bulk);
}

// Who is to be let in and who is not is decided by each data node: the answer comes when all of them know.
void Server::finish_waiting(Waiting& w, const meta::Outcome& outcome) {
  const std::string_view command = w.request.command->name;
  if (outcome.error == Error::ok && (command == "enter single user" || command == "exit single user")) {
    w.kind = Waiting::Kind::everywhere;
    w.above = catalog()->version;
    w.outcome = outcome;
    w.deadline = now_ + kKnownEverywhere;
    return;
  }
  answer_change(w, outcome);
}

bool Server::known_everywhere(Version version) const {
  return std::all_of(seen_->nodes.begin(), seen_->nodes.end(), [&](const auto& n) {
    if (n.second.type != meta::NodeType::data || n.second.state != meta::NodeState::in_sync) return true;
    const meta::Leader::Report* report = leader_.report(n.first);
    return report != nullptr && report->last.version >= version;
  });
}

void Server::answer_change(Waiting& w, const meta::Outcome& outcome) {
  w.done = true;
  Session* s = session(w.link, w.session);
  if (s != nullptr) answer(*s, change_reply(w.request, w.id, outcome, w.bulk));
}

// The job, the table that it moves, and how many tables of the request wait for its end.
void Server::add_job(const Request& r, std::uint64_t id, Reply* reply) const {
  reply->key("job", id);
  const auto job = seen_->jobs.find(id);
  const meta::Table* named = seen_->table(r.text("table"));
  std::vector<GroupId> drain;
  if (job == seen_->jobs.end() || named == nullptr || parse_group_ids(r.text("drain"), &drain)) return;
  reply->key("table", job->second.table_name);
  const auto waiting = tables_to_move(*named, drain);
  reply->key("left", std::count_if(waiting.begin(), waiting.end(),
                                   [&](const meta::Table* t) { return t->id != job->second.table; }));
}

// NDB's own changes have their own replies; ours have the keys of PROTOCOL.md, section 3.1.
std::string Server::change_reply(const Request& r, const meta::RequestId& id, const meta::Outcome& o,
                                 const std::string& bulk) const {
  const Failure failure{o.error, o.text};
  Reply reply(reply_header(r));
  if (r.command->name == "create nodegroup") {
    reply.key("ng", failure || o.ids.empty() ? std::int64_t{-1} : static_cast<std::int64_t>(o.ids.front()));
    if (failure) reply.key("error_code", static_cast<unsigned>(o.error));
    return reply.failed(failure).done();
  }
  if (!r.command->name.starts_with("ndb ")) return Reply(reply_header(r)).failed(failure).done();
  reply.failed(failure);
  reply.key("changed", !failure && o.changed && (r.number("dry_run") == 0) ? 1 : 0);
  if (!failure && r.number("dry_run") != 0) reply.key("would_change", o.changed ? 1 : 0);
  reply.key("version", catalog()->version);
  if (!id.none()) reply.key("request", hex_of(id));
  if (!failure && !o.text.empty()) reply.key("text", o.text);
  if (!failure && !o.ids.empty()) {
    const std::string_view name = r.command->name;
    if (name == "ndb create nodegroup") {
      std::string groups;
      for (std::uint64_t g : o.ids) groups += (groups.empty() ? "" : " ") + std::to_string(g);
      reply.key("groups", groups);
    }
    if (name == "ndb create table") reply.key("table", o.ids.front());
    if (name == "ndb start reorg") add_job(r, o.ids.front(), &reply);
    if (name.ends_with(" config")) reply.key("generation", o.ids.front());
  }
  return bulk.empty() ? reply.done() : reply.done_json(bulk);
}

}  // namespace ndb::mgmt
