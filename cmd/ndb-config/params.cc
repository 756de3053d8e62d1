#include "cli/tool.h"
#include "commands.h"
#include "mgmt/config_query.h"
#include "mgmt/text_reply.h"

namespace ndb::cli {

namespace {

struct Params final : Command {
  std::string name, section;

  void declare(Options& o) override {
    o.text("name", &name, "a parameter, in any case", "NAME");
    o.text("--section", &section, "only those of one section: system, ndbd, ndb_mgmd, mysqld, tcp, shm", "NAME");
  }

  int run(Tool& tool) override {
    std::optional<mgmt::Kind> kind;
    if (!section.empty()) {
      kind = mgmt::find_kind(section);
      if (!kind)
        return tool.usage("'" + section + "' is no section; there are system, ndbd, ndb_mgmd, mysqld, tcp, shm");
    }
    std::vector<const mgmt::Parameter*> found;
    for (const mgmt::Parameter& p : mgmt::parameters()) {
      if (kind && p.kind != *kind) continue;
      if (name.empty() ? !p.hidden() && !p.internal() : mgmt::same_name(p.name, name)) found.push_back(&p);
    }
    if (found.empty())
      return tool.refuse("no parameter '" + name + "'" + similar(kind) + "; 'ndb-config params' lists them");
    if (tool.json()) {
      print_json(found);
    } else if (name.empty()) {
      print_list(tool, found);
    } else {
      for (const mgmt::Parameter* p : found) print(mgmt::describe_parameter(*p));
    }
    return kExitDone;
  }

 private:
  std::string similar(std::optional<mgmt::Kind> kind) const {
    for (mgmt::Kind k :
         {mgmt::Kind::ndbd, mgmt::Kind::ndb_mgmd, mgmt::Kind::api, mgmt::Kind::tcp, mgmt::Kind::system}) {
      if (kind && k != *kind) continue;
      if (const mgmt::Parameter* p = mgmt::similar_parameter(k, name))
        return ", did you mean '" + std::string(p->name) + "'";
    }
    return {};
  }

  static std::string default_of(const mgmt::Parameter& p) {
    return p.mandatory() ? "(mandatory)" : p.unset() ? "" : mgmt::show_value(p, p.default_value);
  }
  static std::string notes_of(const mgmt::Parameter& p) {
    std::string s = p.used() ? "" : "not used";
    if (p.deprecated()) s += s.empty() ? "deprecated" : ", deprecated";
    return s;
  }

  static void print_list(const Tool& tool, const std::vector<const mgmt::Parameter*>& found) {
    Table table({"section", "parameter", "type", "default", "restart", "note"});
    for (const mgmt::Parameter* p : found) {
      table.row({std::string(mgmt::kind_name(p->kind)), std::string(p->name), std::string(mgmt::type_name(p->type)),
                 default_of(*p), std::string(mgmt::restart_name(p->restart)), notes_of(*p)});
    }
    table.print(tool.format());
  }

  static void print_json(const std::vector<const mgmt::Parameter*>& found) {
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", false).name("parameters").array();
    for (const mgmt::Parameter* p : found) {
      j.object()
          .member("section", mgmt::kind_name(p->kind))
          .member("name", p->name)
          .member("type", mgmt::type_name(p->type));
      j.name("default");
      if (p->unset() || p->mandatory())
        j.null();
      else
        j.value(p->default_value);
      j.member("least", p->least).member("most", p->most).member("words", p->words);
      j.member("restart", mgmt::restart_name(p->restart))
          .member("used", p->used())
          .member("deprecated", p->deprecated());
      j.member("meaning", p->meaning).end_object();
    }
    print_line(j.end_array().end_object().text());
  }
};

}  // namespace

std::unique_ptr<Command> make_params() { return make_command<Params>(); }
}  // namespace ndb::cli
