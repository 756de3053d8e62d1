// Requests about the configuration: NDB's binary ones, and our own with texts and history.
#include <algorithm>

#include "mgmt/config_binary.h"
#include "mgmt/config_diff.h"
#include "mgmt/config_image.h"
#include "mgmt/server_waiting.h"

namespace ndb::mgmt {

namespace {

constexpr std::string_view kBinaryType = "ndbconfig/octet-stream";

const meta::Generation* find_generation(const meta::Catalog& c, std::uint64_t number) {
  auto i = c.generations.find(number == 0 ? c.generation : number);
  return i == c.generations.end() ? nullptr : &i->second;
}

// A generation as NDB's programs know it: with its number and the cluster's name.
Config binary_source(const meta::Generation& g) {
  Config config = from_image(*g.image).config;
  config.system["ConfigGenerationNumber"] = std::to_string(g.number);
  config.system["Name"] = g.image->name;
  return config;
}

void write_problems(Json& j, const std::vector<Problem>& problems) {
  j.name("problems").array();
  for (const Problem& p : problems) {
    j.object().member("line", p.line).member("severity", p.severity == Severity::error ? "error" : "warning");
    j.member("text", p.text).end_object();
  }
  j.end_array();
}

std::string report_json(bool changes, std::uint64_t generation, const std::vector<Problem>& problems,
                        const std::vector<Change>& changed) {
  Json j;
  j.object().member("format_version", 1).member("changed", changes).member("generation", generation);
  write_problems(j, problems);
  j.member("diff", diff_text(changed)).name("difference").raw(diff_json(changed));
  return j.end_object().text();
}

// Why these problems stand in the way; ok when they do not.
Failure judge(const std::vector<Problem>& problems, bool accept_warnings) {
  auto is_error = [](const Problem& p) { return p.severity == Severity::error; };
  auto worst =
      std::find_if(problems.begin(), problems.end(), [&](const Problem& p) { return is_error(p) && p.line != 0; });
  if (worst == problems.end()) worst = std::find_if(problems.begin(), problems.end(), is_error);
  const bool error = worst != problems.end();
  if (!error && (accept_warnings || problems.empty())) return {};
  if (!error) worst = problems.begin();
  std::string text = problem_line(*worst);
  if (problems.size() > 1) text += " (and " + std::to_string(problems.size() - 1) + " more)";
  if (!error) text += "; accept the warnings to go on";
  return {Error::illegal_change, std::move(text)};
}

}  // namespace

void Server::get_config(Session& s, const Request& r) {
  Reply reply(reply_header(r));
  const auto asker = static_cast<NodeId>(std::clamp<std::int64_t>(r.number("node"), 0, 255));
  std::uint64_t number = 0;
  if (const std::int64_t from = r.number("from_node"); from > 0) {  // what that node runs with
    const meta::Node* n = seen_->node(static_cast<NodeId>(std::min<std::int64_t>(from, 255)));
    number = n == nullptr ? 0 : n->generation;
    if (number == 0) {
      answer(s, reply.key("result", "node " + std::to_string(from) + " runs with no configuration").done());
      return;
    }
  }
  const meta::Generation* g = find_generation(*seen_, number);
  const bool known = g != nullptr && g->image != nullptr;
  const bool to_a_server = file_ && seen_->generation == 0 && r.number("nodetype", -1) == 2;  // before the first start
  if (!known && !to_a_server) {
    answer(s, reply.key("result", not_confirmed()).done());
    return;
  }
  const Config config = known ? binary_source(*g) : *file_;
  if (r.command->name == "get config_v2") {
    answer(s, reply.ok().done_base64(kBinaryType, encode_config_v2(config, asker)));
    return;
  }
  const Result<std::string> old = encode_config_v1(config, asker);
  if (old) {
    answer(s, reply.ok().done_base64(kBinaryType, *old));
  } else {
    answer(s, reply.key("result", old.failure().sentence()).done());
  }
}

void Server::set_config(Session& s, const Request& r) {
  auto refuse = [&](std::string text) { answer(s, Reply(reply_header(r)).key("result", text).done()); };
  if (r.bad_bulk) return refuse("Illegal config length size " + std::string(r.text("Content-Length")));
  if (r.text("Content-Type") != kBinaryType) {
    return refuse("Unhandled content type '" + std::string(r.text("Content-Type")) + "'");
  }
  if (r.text("Content-Transfer-Encoding") != "base64") {
    return refuse("Unhandled content encoding '" + std::string(r.text("Content-Transfer-Encoding")) + "'");
  }
  std::string bytes;
  if (!base64_bytes(r.bulk, &bytes)) return refuse("Failed to decode config");
  Result<Config> config = decode_config(bytes);
  if (!config) return refuse("Failed to unpack config: " + config.failure().sentence());
  const std::uint64_t generation = to_number((*config).system["ConfigGenerationNumber"]);
  if (generation != seen_->generation) {
    return refuse("Invalid generation in configuration: " + std::to_string(generation) + ", the present one is " +
                  std::to_string(seen_->generation));
  }
  if ((*config).system["Name"] != seen_->name) {
    return refuse("Invalid configuration name, '" + (*config).system["Name"] + "' is not '" + seen_->name + "'");
  }
  if (auto primary = (*config).system.find("PrimaryMGMNode");
      primary != (*config).system.end() && to_number(primary->second) != 0) {
    return refuse("Invalid primary management server " + primary->second +
                  ": no server of this cluster is the primary one");
  }
  (*config).system.erase("ConfigGenerationNumber");
  NewConfig next;
  next.text = print_ini(*config);
  next.source = "set config";
  next.who = s.address;
  next.expect_generation = generation;
  next.accept_warnings = true;  // as NDB does
  apply_config(s, r, std::move(next));
}

void Server::reload_config(Session& s, const Request& r) {
  auto refuse = [&](std::string text) { answer(s, Reply(reply_header(r)).key("result", text).done()); };
  const bool my_cnf = r.number("mycnf") != 0;
  std::string name(r.text("config_filename"));
  if (my_cnf && !name.empty()) return refuse("both mycnf and a file name are given");
  if (my_cnf) return refuse("this server does not read my.cnf");
  if (name.empty()) name = options_.config_source;
  if (name.empty()) return refuse("no file is named, and the server was started without one");
  Result<std::string> text = files_.read(name);
  if (!text) return refuse(text.failure().sentence());
  NewConfig next;
  next.text = std::move(*text);
  next.source = name;
  next.who = s.address;
  next.accept_warnings = true;
  apply_config(s, r, std::move(next));
}

void Server::ndb_get_config(Session& s, const Request& r) {
  const auto number = static_cast<std::uint64_t>(std::max<std::int64_t>(r.number("generation"), 0));
  const meta::Generation* g = find_generation(*seen_, number);
  if (number == 0 && stored_config_.number > seen_->generation && !caught_up())
    g = &stored_config_;  // before the log has a leader
  if (g == nullptr || g->image == nullptr) {
    const std::string why = seen_->generation == 0 ? not_confirmed()
                                                   : "no generation " + std::to_string(number) +
                                                         "; the present one is " + std::to_string(seen_->generation);
    complain(s, r, {Error::no_such_generation, why});
    return;
  }
  Reply reply(reply_header(r));
  reply.ok().key("generation", g->number).key("when_s", g->when_s).key("who", g->who).key("source", g->source);
  reply.key("message", g->message).key("name", g->image->name);
  if (seen_->generation != 0) {  // `ndb enable node` does not write it into the text
    std::string disabled;
    for (const auto& [id, n] : seen_->nodes) {
      if (n.disabled) disabled += (disabled.empty() ? "" : " ") + std::to_string(id);
    }
    reply.key("disabled", disabled.empty() ? "none" : disabled);
  }
  reply.key("cluster_id", seen_->cluster_id != 0 ? seen_->cluster_id : stored_cluster_);
  answer(s, reply.done_text(r.number("effective") != 0 ? effective_text(from_image(*g->image).config, g->image->name)
                                                       : g->image->text));
}

void Server::ndb_config_history(Session& s, const Request& r) {
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(r.number("limit", 20), 0));
  answer(s, Reply(reply_header(r)).ok().key("generation", seen_->generation).done_json(history_json(*seen_, limit)));
}

void Server::ndb_apply_config(Session& s, const Request& r) {
  if (r.bad_bulk) {
    complain(s, r,
             {Error::illegal_change,
              "the configuration is empty or longer than " + std::to_string(limits::kTextBulkBytesMax) + " bytes"});
    return;
  }
  NewConfig next;
  next.text = r.bulk;
  next.source = r.text("source");
  next.who = r.text("who", s.address);
  next.message = r.text("message");
  next.expect_generation = static_cast<std::uint64_t>(std::max<std::int64_t>(r.number("expect_generation"), 0));
  next.accept_warnings = r.number("accept_warnings") != 0;
  apply_config(s, r, std::move(next));
}

void Server::ndb_rollback_config(Session& s, const Request& r) {
  const auto number = static_cast<std::uint64_t>(std::max<std::int64_t>(r.number("generation"), 0));
  const meta::Generation* g = number == 0 ? nullptr : find_generation(*seen_, number);
  if (g == nullptr || g->image == nullptr) {
    complain(s, r,
             {Error::no_such_generation,
              "no generation " + std::to_string(number) + "; the present one is " + std::to_string(seen_->generation)});
    return;
  }
  NewConfig next;
  next.text = g->image->text;
  next.source = "rollback " + std::to_string(number);
  next.who = r.text("who", s.address);
  next.message = r.text("message");
  next.expect_generation = static_cast<std::uint64_t>(std::max<std::int64_t>(r.number("expect_generation"), 0));
  next.accept_warnings = true;  // they were accepted once
  apply_config(s, r, std::move(next));
}

// What all ways of changing the configuration have in common. NDB's requests get the result alone, ours the report.
void Server::apply_config(Session& s, const Request& r, NewConfig next) {
  const bool ours = r.command->name.starts_with("ndb ");
  auto refuse = [&](const Failure& f, const std::string& report) {
    if (!ours) return answer(s, Reply(reply_header(r)).key("result", f.sentence()).done());
    Reply reply(reply_header(r));
    reply.failed(f).key("changed", 0).key("version", seen_->version).key("generation", seen_->generation);
    answer(s, report.empty() ? reply.done() : reply.done_json(report));
  };
  meta::RequestId id;
  if (r.number("dry_run") == 0 && parse_request_id(r.text("request"), &id)) {
    if (const meta::Outcome* before =
            seen_->outcome_of(id)) {  // asked again: whatever has become of the configuration since
      return answer(s, change_reply(r, id, *before, {}));
    }
  }
  const meta::ConfigImage* image = seen_->config();
  if (image == nullptr) return refuse({Error::not_ready, not_confirmed()}, "");
  if (next.expect_generation != 0 && next.expect_generation != seen_->generation) {
    return refuse({Error::generation_moved, "the configuration is at generation " + std::to_string(seen_->generation) +
                                                ", the change was made from generation " +
                                                std::to_string(next.expect_generation)},
                  "");
  }
  ParseResult parsed = parse_any(next.text);
  const Config present = from_image(*image).config;
  std::vector<Change> changes;
  std::vector<Problem> of_change;  // only their warnings have to be accepted
  if (parsed.ok()) {
    changes = diff(present, parsed.config);
    if (!changes.empty()) of_change = check_change(present, parsed.config);
  }
  std::vector<Problem> problems = parsed.problems;
  problems.insert(problems.end(), of_change.begin(), of_change.end());
  const bool wanted = !changes.empty();
  const std::string report = report_json(wanted, seen_->generation + (wanted ? 1 : 0), problems, changes);
  Failure f = judge(parsed.problems, true);
  if (!f) f = judge(of_change, next.accept_warnings);
  if (f) return refuse(f, report);
  if (!wanted && !r.has("request")) {
    if (!ours) return answer(s, Reply(reply_header(r)).ok().done());
    Reply reply(reply_header(r));
    reply.ok().key("changed", 0).key("version", seen_->version).key("generation", seen_->generation);
    return answer(s,
                  reply.key("text", "the configuration is the same as generation " + std::to_string(seen_->generation))
                      .done_json(report));
  }
  meta::ChangeConfig change_config;
  change_config.expect_generation = seen_->generation;
  auto text = wanted ? std::move(next.text) : image->text;
  const Config& config = wanted ? parsed.config : present;
  auto made = std::make_shared<meta::ConfigImage>(to_image(config, std::move(text), seen_->name));
  change_config.generation = {0, now_s(), next.who, next.source, next.message, std::move(made)};
  change(s, r, std::move(change_config), ours ? report : std::string{});
}

}  // namespace ndb::mgmt
