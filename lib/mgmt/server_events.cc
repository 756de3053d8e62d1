// The cluster log: what happened, kept in memory, written to the log, streamed to those who listen.
#include <algorithm>

#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr Time kPingEvery = 1 * kSecond;
constexpr std::size_t kEventsShown = 1000;

struct Category {
  int number;
  std::string_view name;
  std::string_view parameter;  // LogLevel<parameter> of data nodes; empty = there is none
};
constexpr Category kCategories[] = {{250, "STARTUP", "Startup"},
                                    {251, "SHUTDOWN", "Shutdown"},
                                    {252, "STATISTICS", "Statistic"},
                                    {253, "CHECKPOINT", "Checkpoint"},
                                    {254, "NODERESTART", "NodeRestart"},
                                    {255, "CONNECTION", "Connection"},
                                    {256, "INFO", "Info"},
                                    {257, "WARNING", ""},
                                    {258, "ERROR", "Error"},
                                    {259, "CONGESTION", "Congestion"},
                                    {260, "DEBUG", ""},
                                    {261, "BACKUP", "Backup"},
                                    {262, "SCHEMA", "Schema"}};
constexpr std::string_view kSeverities[] = {"enabled", "debug", "info", "warning", "error", "critical", "alert"};

// "2026-11-20 19:20:39" of seconds since 1970, UTC (days to civil date: Howard Hinnant's algorithm).
std::string time_text(std::int64_t s) {
  const std::int64_t day = s / 86400 + 719468;
  const std::int64_t era = day / 146097;
  const std::int64_t doe = day - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  auto two = [](std::int64_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  return std::to_string(yoe + era * 400 + (month <= 2 ? 1 : 0)) + "-" + two(month) + "-" +
         two(doy - (153 * mp + 2) / 5 + 1) + " " + two(s / 3600 % 24) + ":" + two(s / 60 % 60) + ":" + two(s % 60);
}

int category_of(std::string_view word) {
  std::int64_t n = 0;
  if (parse_number(word, &n)) return static_cast<int>(std::clamp<std::int64_t>(n, 0, 1000));
  for (const Category& c : kCategories) {
    if (same_name(c.name, word)) return c.number;
  }
  return -1;
}

std::string category_word(int number) {
  for (const Category& c : kCategories) {
    if (c.number != number) continue;
    std::string name(c.name);
    std::transform(name.begin(), name.end(), name.begin(), [](char x) { return char(x + 32); });
    return name;
  }
  return std::to_string(number);
}

struct Told {
  env::Severity severity = env::Severity::info;
  int category = kInfo;
  NodeId node = 0;
  std::string text;    // empty: nothing worth telling
  stock::Body body{};  // its fields empty: a text
};

Told tell(const meta::LeaderStarts&, const meta::Outcome& o, const meta::Catalog& c) {
  std::string text = "new leader of the metadata log, leader epoch " + std::to_string(c.leader_epoch);
  if (!o.text.empty()) text += "; " + o.text;
  return {o.text.empty() ? env::Severity::info : env::Severity::warning, kInfo, 0, std::move(text)};
}
Told tell(const meta::ChangeConfig& x, const meta::Outcome&, const meta::Catalog& c) {
  return {env::Severity::info, kInfo, 0,
          "configuration generation " + std::to_string(c.generation) + " from " + x.generation.source};
}
Told tell(const meta::NodeJoins& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kNodeRestart, x.node,
          "node " + std::to_string(x.node) + " joins" + (x.initial ? " without data" : ""), stock::start(false)};
}
Told tell(const meta::StartCluster&, const meta::Outcome&, const meta::Catalog& c) {
  return {env::Severity::info, kStartup, 0,
          "the cluster has started with " + std::to_string(c.groups.size()) + " node groups"};
}
Told tell(const meta::NodeInSync& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kStartup, x.node, "node " + std::to_string(x.node) + " is started", stock::start(true)};
}
Told tell(const meta::NodeDown& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::alert, kShutdown, x.node, "node " + std::to_string(x.node) + " is down: " + x.reason,
          stock::stop(x.reason != "stopped")};
}
Told tell(const meta::CreateGroups&, const meta::Outcome& o, const meta::Catalog&) {
  std::string text = "created node group";
  for (std::uint64_t id : o.ids) text += " " + std::to_string(id);
  return {env::Severity::info, kSchema, 0, std::move(text)};
}
Told tell(const meta::DropGroup& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kSchema, 0, "dropped node group " + std::to_string(x.group)};
}
Told tell(const meta::CreateTable& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kSchema, 0, "created table '" + x.table.name + "'"};
}
Told tell(const meta::DropTable& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kSchema, 0, "dropped table '" + x.name + "'"};
}
Told tell(const meta::StartReorg& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kSchema, 0, "reorganisation of table '" + x.table + "' begins"};
}
Told tell(const meta::AdvanceReorg& x, const meta::Outcome&, const meta::Catalog&) {
  std::string text = "reorganisation " + std::to_string(x.job);
  text += x.phase == meta::Phase::none ? " is finished" : std::string(": ") + meta::name_of(x.phase);
  return {env::Severity::info, kSchema, 0, std::move(text)};
}
Told tell(const meta::AbortReorg& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::warning, kSchema, 0,
          "reorganisation " + std::to_string(x.job) + " is rolled back: " + Failure{x.error, x.detail}.sentence()};
}
Told tell(const meta::SetSingleUser& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kInfo, x.api_node,
          x.api_node == 0 ? "single user mode has ended" : "single user mode for node " + std::to_string(x.api_node)};
}
Told tell(const meta::AllowLease& x, const meta::Outcome&, const meta::Catalog& c) {
  return {env::Severity::debug, kInfo, 0,
          "leases last up to " + std::to_string(x.ms != 0 ? x.ms : c.longest_lease() / kMillisecond) + " ms"};
}
Told tell(const meta::EpochDurable& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::debug, kInfo, 0, "epoch " + std::to_string(x.epoch) + " is durable"};
}
Told tell(const meta::RestartCluster& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::warning, kStartup, 0,
          "the cluster was restarted from its disks at epoch " + std::to_string(x.epoch)};
}
Told tell(const meta::SetNodeEnabled& x, const meta::Outcome&, const meta::Catalog&) {
  return {env::Severity::info, kInfo, x.node,
          "node " + std::to_string(x.node) + (x.enabled ? " is enabled" : " is disabled")};
}

// What happens all the time, and is nothing to tell.
template <class Other>
Told tell(const Other&, const meta::Outcome&, const meta::Catalog&) {
  return {};
}

}  // namespace

void Server::applied_event(const meta::Member::Applied& a) {
  if (a.index <= told_until_ || a.outcome.error != Error::ok || !a.outcome.changed) return;
  Told t = std::visit([&](const auto& x) { return tell(x, a.outcome, *a.catalog); }, a.command.body);
  if (t.text.empty()) return;
  if (t.body.fields.empty()) t.body = stock::info(t.text);
  event(t.severity, t.category, t.node, std::move(t.text), std::move(t.body));
}

// LogLevel..: what `set cluster loglevel` told before counts no longer.
void Server::forget_level(std::string_view parameter) {
  for (const Category& c : kCategories) {
    if (parameter.starts_with("LogLevel") && parameter.substr(8) == c.parameter) log_levels_.erase(c.number);
  }
}

// As told by `set cluster loglevel`, else by `ndb set live`, else as written for the data nodes.
int Server::level_of(int category) const {
  if (auto told = log_levels_.find(category); told != log_levels_.end()) return told->second;
  const auto found = std::find_if(std::begin(kCategories), std::end(kCategories),
                                  [&](const Category& c) { return c.number == category; });
  const meta::ConfigImage* image = seen_->config();
  if (found == std::end(kCategories) || image == nullptr) return kLevelDefault;
  if (const std::string* told = live_.find("LogLevel" + std::string(found->parameter))) {
    return static_cast<int>(to_number(*told));
  }
  for (const meta::ConfigNode& n : image->nodes) {
    if (n.type != meta::NodeType::data) continue;
    auto i = std::find_if(n.values.begin(), n.values.end(), [&](const auto& v) {
      return v.first.starts_with("LogLevel") && same_name(v.first.substr(8), found->parameter);
    });
    return i == n.values.end() ? kLevelDefault : static_cast<int>(to_number(i->second));
  }
  return kLevelDefault;
}

void Server::event(env::Severity severity, int category, NodeId node, std::string text) {
  stock::Body body = stock::info(text);
  event(severity, category, node, std::move(text), std::move(body));
}

void Server::event(env::Severity severity, int category, NodeId node, std::string text, stock::Body body) {
  EventRecord e{next_event_++, now_s(), severity, category, node, std::move(text), std::move(body)};
  if (level_of(category) > 0 && log_enabled_[0] && log_enabled_[static_cast<std::size_t>(severity) + 1]) {
    if (options_.event_log != nullptr)
      options_.event_log->add(event_line(e));
    else
      out_->log(severity, e.text);
  }
  for (const auto& [link, s] : sessions_) {
    if (s->listening) write_event(*s, e);
  }
  events_.push_back(std::move(e));
  // What comes all the time does not push out what happened.
  auto debug = [](const EventRecord& r) { return r.severity == env::Severity::debug; };
  const auto debugs = static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(), debug));
  if (debugs > limits::kDebugEventsKept) events_.erase(std::find_if(events_.begin(), events_.end(), debug));
  if (events_.size() > limits::kEventsKept) events_.pop_front();
}

std::string Server::event_line(const EventRecord& e) const {
  return time_text(e.when_s) + " [" + options_.log_name + "] " + std::string(env::severity_name(e.severity)) + " -- " +
         e.text;
}

void Server::write_event(Session& s, const EventRecord& e) {
  auto level = s.levels.find(e.category);
  if (s.ending || level == s.levels.end() || level->second <= 0) return;
  if (out_->backlog(s.link) > limits::kTextBulkBytesMax) {  // it does not read
    s.ending = true;
    out_->close(s.link);
    return;
  }
  Writer& w = out_->link(s.link);
  if (s.parsable) {
    w.raw(stock::block(e.body, e.when_s, e.node != 0 ? e.node : options_.node));
  } else {
    w.raw(event_line(e) + "\n");
  }
}

void Server::ping_listeners() {
  bool anybody = false;
  for (const auto& [link, s] : sessions_) {
    if (!s->listening || s->ending) continue;
    anybody = true;
    if (now_ >= next_ping_) out_->link(link).raw("<PING>\n");
  }
  if (!anybody) return;
  if (now_ >= next_ping_) next_ping_ = now_ + kPingEvery;
  out_->wake_at(next_ping_);
}

void Server::get_clusterlog(Session& s, const Request&) {
  Reply reply("clusterlog");
  for (std::size_t i = 0; i < log_enabled_.size(); ++i) reply.key(kSeverities[i], log_enabled_[i] ? 1 : 0);
  answer(s, reply.done());
}

void Server::get_loglevel(Session& s, const Request&) {
  Reply reply("get cluster loglevel");
  for (const Category& c : kCategories) {
    reply.key(category_word(c.number), level_of(c.number));
  }
  answer(s, reply.done());
}

// Node 0: all. The threshold is the cluster's: events here have no finer levels than on and off.
void Server::set_loglevel(Session& s, const Request& r) {
  const auto level = r.number("level");
  const int category = category_of(r.text("category"));
  std::string wrong;
  if (r.number("node") != 0 && node_of(r, "node") == nullptr)
    wrong = "no node with id " + std::string(r.text("node"));
  else if (category < 0 || category_word(category) == std::to_string(category))
    wrong = "no category '" + std::string(r.text("category")) + "'";
  else if (level < 0 || level > 15)
    wrong = "'" + std::string(r.text("level")) + "' is no level from 0 to 15";
  else
    log_levels_[category] = static_cast<int>(level);
  answer(s, Reply(reply_header(r)).key("result", wrong.empty() ? "Ok" : wrong).done());
}

// The answer is whether the severity is enabled now. Stock clients send -1 without its sign.
void Server::set_logfilter(Session& s, const Request& r) {
  constexpr std::int64_t kToggle = 0xffffffff;
  const auto level = r.number("level");
  const auto enable = r.number("enable");
  const bool toggles = enable == -1 || enable == kToggle;
  const auto severities = static_cast<std::int64_t>(log_enabled_.size());  // that number: all of them
  const bool good = level >= 0 && level <= severities && (toggles || enable == 0 || enable == 1);
  bool enabled = false;
  for (std::int64_t i = 0; good && i < severities; ++i) {
    if (i != level && (level != severities || i == 0)) continue;
    bool& on = log_enabled_[static_cast<std::size_t>(i)];
    on = toggles ? !on : enable == 1;
    enabled = on;
  }
  if (good)
    answer(s, Reply(reply_header(r)).key("result", enabled ? 1 : 0).done());
  else
    answer(s, Reply(reply_header(r)).key("result", "no such severity, or neither on, off nor toggle").done());
}

void Server::listen_event(Session& s, const Request& r) {
  std::map<int, int> levels;
  const std::vector<std::string_view> words = split_words(r.text("filter"), " \t,=:");
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    std::int64_t level = 0;
    const int category = category_of(words[i]);
    if (category < 0 || !parse_number(words[i + 1], &level) || level < 0) {
      answer(s,
             Reply("listen event").key("result", -1).key("msg", "cannot read '" + std::string(words[i]) + "'").done());
      return;
    }
    levels[category] = static_cast<int>(std::min<std::int64_t>(level, 15));
  }
  if (words.size() % 2 != 0) {
    answer(s, Reply("listen event").key("result", -1).key("msg", "a category without a level").done());
    return;
  }
  s.levels = std::move(levels);
  s.parsable = r.number("parsable") != 0;
  answer(s, Reply("listen event").key("result", 0).done());
  s.listening = true;
  if (next_ping_ <= now_) next_ping_ = now_ + kPingEvery;
}

void Server::report_event(Session& s, const Request& r) {
  event(env::Severity::info, kInfo, 0, "reported by " + s.address + ": " + std::string(r.text("data")));
  answer(s, Reply(reply_header(r)).key("result", "ok").done());
}

void Server::ndb_list_events(Session& s, const Request& r) {
  const auto after = static_cast<std::uint64_t>(std::max<std::int64_t>(r.number("after"), 0));
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(r.number("limit", 100), 1, kEventsShown));
  Json j;
  std::size_t shown = 0;
  std::uint64_t last = after;
  j.object().member("format_version", 1).name("events").array();
  for (const EventRecord& e : events_) {
    if (e.number <= after || shown == limit) continue;
    ++shown;
    last = e.number;
    std::string severity(env::severity_name(e.severity));
    std::transform(severity.begin(), severity.end(), severity.begin(), [](char x) { return char(x + 32); });
    j.object().member("number", e.number).member("when_s", e.when_s).member("severity", severity);
    j.member("category", category_word(e.category)).member("node", e.node).member("text", e.text).end_object();
  }
  answer(s, Reply(reply_header(r)).ok().key("last", last).done_json(j.end_array().end_object().text()));
}

void Server::refuse_test_command(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).key("result", "this server has no '" + std::string(r.command->name) + "'").done());
}
void Server::refuse_backup(Session& s, const Request& r) {
  answer(s, Reply(reply_header(r)).key("result", "3001-this cluster makes no backups").done());
}

}  // namespace ndb::mgmt
