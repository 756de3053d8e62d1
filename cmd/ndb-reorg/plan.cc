#include <algorithm>

#include "cli/json_value.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {

namespace {
bool same_name(std::string_view a, std::string_view b) {  // as SQL: the case of letters does not matter
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}
}  // namespace

void TableOptions::declare(Options& o) {
  o.list("--table", &names, "a table, with its unique indexes; may be given again", "NAME");
  o.flag("--all", &all, "all tables, one after the other");
}

Result<std::vector<std::string>> TableOptions::tables(Tool& tool, bool with_indexes) const {
  if (all != names.empty()) {
    return Failure{Error::no_such_table, all ? "both --all and --table are given; one of them is enough"
                                             : "no table is named; give --table NAME or --all"};
  }
  auto known = read_tables(tool);
  if (!known) return known.failure();
  std::vector<std::string> out;
  for (const TableName& t : *known) {
    if (all) out.push_back(t.name);
  }
  for (const std::string& name : names) {  // a table takes its unique indexes along
    out.push_back(name);
    for (const TableName& t : *known) {
      if (with_indexes && same_name(t.index_of, name)) out.push_back(t.name);
    }
  }
  return out;
}

int TableOptions::refuse(Tool& tool, const Failure& f) {
  if (f.error == Error::no_such_table) return tool.usage(f.text);  // tables() says it of the options alone
  return refused(tool, f);
}

int refused(Tool& tool, const Failure& f) {
  return Tool::unknown_command(f) ? tool.refuse_stock("ndb-reorg") : tool.fail(f);
}

Result<std::string> drain_words(const std::string& option) {
  std::string out;
  for (std::string_view word : mgmt::split_words(option)) {
    std::int64_t group = 0;
    if (!mgmt::parse_number(word, &group) || group < 0) {
      return Failure{Error::bad_group_id, "'" + std::string(word) + "' is no node group"};
    }
    out += (out.empty() ? "" : " ") + std::string(word);
  }
  return out;
}

namespace {

std::string list_of(const JsonValue& v) {
  std::string out;
  for (const JsonValue& i : v.items) out += (out.empty() ? "" : ",") + i.text;
  return out;
}
std::string known(const JsonValue& v) { return v.is_null() ? "?" : show_count(v.number()); }

struct PlanCommand final : Command {
  TableOptions which;
  std::string drain;
  std::uint64_t if_version = 0;

  void declare(Options& o) override {
    which.declare(o);
    o.text("--drain", &drain, "node groups that shall hold nothing of the table afterwards", "GROUP[,GROUP...]");
    o.number("--if-version", &if_version, "refuse (exit 6) when the cluster has changed since this version", "VERSION");
  }

  int run(Tool& tool) override {
    auto groups = drain_words(drain);
    if (!groups) return tool.fail(groups.failure());
    auto tables = which.tables(tool);
    if (!tables) return TableOptions::refuse(tool, tables.failure());
    std::vector<Plan> plans;
    for (const std::string& t : *tables) {
      auto plan = make_plan_of(tool, t, *groups, if_version);
      if (!plan) return refused(tool, plan.failure());
      plans.push_back(std::move(*plan));
    }
    print_plans(tool, plans);
    return kExitDone;
  }
};

}  // namespace

Result<Plan> make_plan_of(Tool& tool, const std::string& table, const std::string& drain, std::uint64_t if_version) {
  Tool::Keys keys{{"table", table}, {"drain", drain}};
  auto r = tool.change("ndb start reorg", keys, ChangeOptions{.dry_run = true, .if_version = if_version});
  if (!r) return r.failure();
  auto v = JsonValue::parse(r->bulk);
  if (!v) return v.failure();
  const JsonValue& o = *v;
  Plan p;
  p.table = table;
  p.json = r->bulk;
  p.changed = o["changed"].boolean();
  p.groups_before = list_of(o["groups_before"]);
  p.groups_after = list_of(o["groups_after"]);
  p.fragments_before = o["fragments_before"].number();
  p.fragments_after = o["fragments_after"].number();
  p.buckets = o["buckets"].number();
  p.buckets_moved = o["buckets_moved"].number();
  p.rows = known(o["rows"]);
  p.rows_moved = known(o["rows_moved"]);
  p.bytes_moved = o["bytes_moved"].is_null() ? "?" : show_bytes(o["bytes_moved"].number());
  return p;
}

void print_plans(const Tool& tool, const std::vector<Plan>& plans) {
  const bool any = std::any_of(plans.begin(), plans.end(), [](const Plan& p) { return p.changed; });
  if (tool.json()) {
    if (plans.size() == 1) {
      print_line(plans[0].json);
      return;
    }
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", any).name("plans").array();
    for (const Plan& p : plans) j.raw(p.json);
    print_line(j.end_array().end_object().text());
    return;
  }
  Table table({"table", "groups", "groups_after", "fragments", "fragments_after", "rows", "rows_to_move",
               "bytes_to_move", "buckets_to_move"});
  for (const Plan& p : plans) {
    table.row({p.table, p.groups_before, p.groups_after, std::to_string(p.fragments_before),
               std::to_string(p.fragments_after), p.rows, p.rows_moved, p.bytes_moved,
               std::to_string(p.buckets_moved) + "/" + std::to_string(p.buckets)});
  }
  table.print(tool.format());
  if (!any) tool.note("nothing to do: the rows are where they should be");
}

std::unique_ptr<Command> make_plan() { return make_command<PlanCommand>(); }
}  // namespace ndb::cli
