// Compares what the replicas of each fragment report: rows, and a checksum over them that does not depend on their
// order. Under traffic two replicas may be a few rows apart for the moment in which they are asked, so a difference
// is looked at again before it counts.
#include <time.h>

#include "cli/json_value.h"
#include "commands.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {
namespace {

constexpr int kLooks = 5;

struct Replica {
  std::string fragment, node, role, checksum;
  std::uint64_t rows = 0, bytes = 0;
};
struct Verdict {
  std::string table;
  std::vector<Replica> replicas;
  std::uint64_t rows = 0;
  std::uint64_t missing = 0;  // replicas that did not answer
  std::string different;      // fragments, "0,3"
};

Verdict judge(const std::string& table, const JsonValue& o) {
  Verdict v;
  v.table = table;
  for (const JsonValue& f : o["distribution"]["fragments"].items) {
    if (f["group"].is_null()) continue;
    const std::string number = f["fragment"].text;
    const std::size_t expected = 1 + f["backups"].items.size();
    const std::vector<JsonValue>& replicas = f["replicas"].items;
    v.rows += f["rows"].number();
    v.missing += expected > replicas.size() ? expected - replicas.size() : 0;
    bool equal = true;
    for (const JsonValue& r : replicas) {
      const JsonValue& first = replicas.front();
      equal &= r["rows"].text == first["rows"].text && r["checksum"].text == first["checksum"].text;
      v.replicas.push_back(
          {number, r["node"].text, r["role"].text, r["checksum"].text, r["rows"].number(), r["bytes"].number()});
    }
    if (!equal) v.different += (v.different.empty() ? "" : ",") + number;
  }
  return v;
}

struct Verify final : Command {
  TableOptions which;

  void declare(Options& o) override { which.declare(o); }

  int run(Tool& tool) override {
    auto tables = which.tables(tool);
    if (!tables) return TableOptions::refuse(tool, tables.failure());
    std::vector<Verdict> verdicts;
    for (const std::string& t : *tables) {
      auto v = look(tool, t);
      if (!v) return Tool::unknown_command(v.failure()) ? tool.refuse_stock("verify") : tool.fail(v.failure());
      verdicts.push_back(std::move(*v));
    }
    std::string different;
    std::uint64_t missing = 0;
    for (const Verdict& v : verdicts) {
      missing += v.missing;
      if (!v.different.empty())
        different += (different.empty() ? "table '" : ", table '") + v.table + "' fragment " + v.different;
    }
    if (!different.empty()) {
      return tool.refuse("error 9033: replicas differ: " + different +
                         "; look at 'ndb-reorg status' and the nodes' logs");
    }
    if (tool.json())
      print_json(verdicts, missing);
    else
      print_table(tool, verdicts);
    if (missing != 0) {
      tool.note(std::to_string(missing) + " replicas did not answer; those that did are equal");
      return kExitDegraded;
    }
    return kExitDone;
  }

 private:
  static Result<Verdict> look(Tool& tool, const std::string& table) {
    Verdict v;
    for (int i = 0; i < kLooks; ++i) {
      auto r = tool.ask("ndb describe table", {{"name", table}});
      if (!r) return r.failure();
      auto o = JsonValue::parse(r->bulk);
      if (!o) return o.failure();
      v = judge(table, *o);
      if (v.different.empty() && v.missing == 0) break;
      timespec pause{0, 200'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return v;
  }

  static void print_table(const Tool& tool, const std::vector<Verdict>& verdicts) {
    Table table({"table", "fragment", "node", "role", "rows", "bytes", "checksum"});
    for (const Verdict& v : verdicts) {
      for (const Replica& r : v.replicas) {
        table.row({v.table, r.fragment, r.node, r.role, std::to_string(r.rows), std::to_string(r.bytes), r.checksum});
      }
    }
    table.print(tool.format());
  }

  static void print_json(const std::vector<Verdict>& verdicts, std::uint64_t missing) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).member("replicas_equal", true);
    j.member("missing", missing).name("tables").array();
    for (const Verdict& v : verdicts) {
      j.object().member("table", v.table).member("rows", v.rows).name("replicas").array();
      for (const Replica& r : v.replicas) {
        j.object().member("fragment", std::strtoull(r.fragment.c_str(), nullptr, 10));
        j.member("node", std::strtoull(r.node.c_str(), nullptr, 10)).member("role", r.role).member("rows", r.rows);
        j.member("bytes", r.bytes).member("checksum", r.checksum).end_object();
      }
      j.end_array().end_object();
    }
    print_line(j.end_array().end_object().text());
  }
};

}  // namespace

std::unique_ptr<Command> make_verify() { return make_command<Verify>(); }
}  // namespace ndb::cli
