#include <time.h>

#include <algorithm>

#include "cli/json_value.h"
#include "commands.h"
#include "mgmt/text_reply.h"
#include "nodes.h"

namespace ndb::cli {
namespace {

constexpr const char* kSeverities[] = {"debug", "info", "warning", "error", "critical", "alert"};
constexpr Time kPatience = 60 * kSecond;
constexpr std::size_t kPage = 1000;  // the most that a server gives at once
constexpr int kPagesMax = 10;

struct Events final : Command {
  bool follow = false;
  std::string severity = "info";
  std::vector<std::string> ids, categories;
  std::uint64_t after = 0, limit = 100;

  void declare(Options& o) override {
    o.flag("-f,--follow", &follow, "go on and print what happens, until Ctrl-C");
    o.choice("--severity", &severity, "only what is at least as severe; info without it",
             {"debug", "info", "warning", "error", "critical", "alert"});
    o.list("--category", &categories,
           "only of this kind: startup, shutdown, noderestart, connection, schema, info; may be given again", "WORD");
    o.list("--node", &ids, "only what concerns this node; may be given again", "ID");
    o.number("--after", &after, "only what has a greater number", "NUMBER");
    o.number("--limit", &limit, "at most so many of those that are remembered (100)", "N");
  }

  int run(Tool& tool) override {
    tool.on_interrupt("nothing was changed");
    auto nodes = parse_node_ids(ids);
    if (!nodes) return tool.fail(nodes.failure());
    bool first = true;
    do {
      auto found = read_events(tool);
      if (!found) {
        return Tool::unknown_command(found.failure()) ? tool.refuse_stock("events") : tool.fail(found.failure());
      }
      print_events(tool, *found, *nodes, first);
      first = false;
      if (follow) {
        if (output_failed()) return kExitDone;  // nobody hears it; the status says so at the end
        timespec pause{0, 250'000'000};
        ::nanosleep(&pause, nullptr);
      }
    } while (follow);
    return kExitDone;
  }

 private:
  // All that are remembered behind `after`, which moves on. An answer holds the oldest of them, up to a page.
  Result<std::vector<JsonValue>> read_events(Tool& tool) {
    std::vector<JsonValue> all;
    for (int page = 0; page < kPagesMax; page++) {
      auto r = tool.ask("ndb list events", {{"after", std::to_string(after)}, {"limit", std::to_string(kPage)}},
                        follow ? kPatience : 0);
      if (!r) return r.failure();
      auto v = JsonValue::parse(r->bulk);
      if (!v) return v.failure();
      const std::vector<JsonValue>& some = (*v)["events"].items;
      all.insert(all.end(), some.begin(), some.end());
      after = std::strtoull(r->value("last").c_str(), nullptr, 10);
      if (some.size() < kPage) break;
    }
    return all;
  }
  static long rank(const std::string& word) {
    return std::find(std::begin(kSeverities), std::end(kSeverities), word) - std::begin(kSeverities);
  }

  void print_events(const Tool& tool, const std::vector<JsonValue>& all, const std::vector<NodeId>& nodes,
                    bool first) const {
    std::vector<const JsonValue*> shown;
    for (const JsonValue& e : all) {
      const auto node = static_cast<NodeId>(e["node"].number());
      const bool wanted = nodes.empty() || std::find(nodes.begin(), nodes.end(), node) != nodes.end();
      const bool of_kind =
          categories.empty() || std::find(categories.begin(), categories.end(), e["category"].text) != categories.end();
      if (wanted && of_kind && rank(e["severity"].text) >= rank(severity)) shown.push_back(&e);
    }
    if (first && shown.size() > limit) shown.erase(shown.begin(), shown.end() - static_cast<std::ptrdiff_t>(limit));
    mgmt::Json list;
    list.object().member("format_version", 1).member("changed", false).name("events").array();
    if (first && tool.format() == Format::tsv) print_line("number\twhen\tseverity\tcategory\tnode\ttext");
    for (const JsonValue* e : shown) {
      const JsonValue& v = *e;
      const std::string when = show_when(static_cast<std::int64_t>(v["when_s"].number()));
      if (tool.json()) {
        mgmt::Json j;
        j.object();
        if (follow) j.member("format_version", 1);
        j.member("number", v["number"].number()).member("when_s", v["when_s"].number());
        j.member("severity", v["severity"].text)
            .member("category", v["category"].text)
            .member("node", v["node"].number())
            .member("text", v["text"].text);
        j.end_object();
        if (follow)
          print_line(j.text());  // an object a line
        else
          list.raw(j.text());
      } else if (tool.format() == Format::tsv) {
        print_line(v["number"].text + "\t" + when + "\t" + v["severity"].text + "\t" + v["category"].text + "\t" +
                   v["node"].text + "\t" + v["text"].text);
      } else {
        print_line(when + " " + v["severity"].text + ": " + v["text"].text);
      }
    }
    if (tool.json() && !follow) print_line(list.end_array().end_object().text());
  }
};

}  // namespace

std::unique_ptr<Command> make_events() { return make_command<Events>(); }
}  // namespace ndb::cli
