#include "cli/dispatch.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

#include "cli/version.h"
#include "os/standard_streams.h"

namespace ndb::cli {
namespace {

class AppOptions final : public Options {
 public:
  explicit AppOptions(CLI::App& app) : app_(app) {}
  void flag(const char* names, bool* value, const char* help) override { app_.add_flag(names, *value, help); }
  void text(const char* names, std::string* value, const char* help, const char* meta, bool required) override {
    app_.add_option(names, *value, help)->required(required)->type_name(type_of(names, meta));
  }
  void number(const char* names, std::uint64_t* value, const char* help, const char* meta, bool required) override {
    app_.add_option(names, *value, help)->required(required)->type_name(type_of(names, meta));
  }
  void list(const char* names, std::vector<std::string>* values, const char* help, const char* meta,
            bool required) override {
    CLI::Option* o = app_.add_option(names, *values, help)->required(required)->type_name(type_of(names, meta));
    if (names[0] == '-') o->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  }
  void choice(const char* names, std::string* value, const char* help, std::vector<std::string> words) override {
    std::string meta;
    for (const std::string& w : words) meta += (meta.empty() ? "" : "|") + w;
    app_.add_option(names, *value, help)->type_name(meta)->check([words](const std::string& v) {
      for (const std::string& w : words) {
        if (w == v) return std::string();
      }
      std::string all;
      for (const std::string& w : words) all += (all.empty() ? "" : ", ") + w;
      return "'" + v + "' is none of " + all;
    });
  }

 private:
  static std::string type_of(const char* names, const char* meta) { return names[0] == '-' ? meta : ""; }
  CLI::App& app_;
};

void declare_common(CLI::App& app, Tool& tool) {
  AppOptions o(app);
  o.text("-c,--connectstring,--ndb-connectstring", &tool.connectstring,
         "management servers: host[:port][,host[:port]...]", "STRING", false);
  o.choice("--format", &tool.format_word, "what to print on standard output", {"table", "json", "tsv"});
  app.get_formatter()->column_width(36);
  app.set_help_flag("-h,--help", "print this help and leave");
}

int parse_and_run(CLI::App& app, Tool& tool, std::span<const Subcommand> table, std::vector<std::string> words) {
  declare_common(app, tool);
  bool version = false;
  app.add_flag("--version", version, "print the version and leave");
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  bool alone = false;
  for (const Subcommand& s : table) {
    CLI::App* sub = *s.name == '\0' ? &app : app.add_subcommand(s.name, s.summary);
    alone |= sub == &app;
    if (sub != &app) declare_common(*sub, tool);
    auto command = s.make();
    AppOptions options(*sub);
    command->declare(options);
    commands.emplace_back(sub, std::move(command));
  }
  app.require_subcommand(0, 1);
  CLI::App* wanted = &app;
  try {
    std::reverse(words.begin(), words.end());
    app.parse(words);
    if (!app.get_subcommands().empty()) wanted = app.get_subcommands().front();
    if (version) {
      print_line(tool.name() + " " + std::string(kToolVersion));
      return kExitDone;
    }
    if (wanted == &app && !alone) throw CLI::RequiredError("a subcommand");
  } catch (const CLI::Success&) {
    for (CLI::App* s : app.get_subcommands()) wanted = s;
    print(wanted->help(wanted == &app ? "" : tool.name()));
    return kExitDone;
  } catch (const CLI::ExtrasError&) {
    for (CLI::App* s : app.get_subcommands()) wanted = s;
    const std::vector<std::string> extra = app.remaining(true);
    const std::string word = extra.empty() ? "" : extra.front();
    const bool verb = wanted == &app && !word.starts_with('-') && table.size() > 1;
    return tool.usage("'" + word + "' is " + (verb ? "no subcommand" : "not known here") + "; see '" + tool.name() +
                      (wanted == &app ? "" : " " + wanted->get_name()) + " --help'");
  } catch (const CLI::ParseError& e) {
    for (CLI::App* s : app.get_subcommands()) wanted = s;
    const std::string verb = wanted == &app ? "" : " " + wanted->get_name();
    return tool.usage(usage_sentence(e.what()) + "; see '" + tool.name() + verb + " --help'");
  }
  for (auto& [sub, command] : commands) {
    if (sub != wanted) continue;
    tool.on_interrupt("what was asked for before goes on");
    return command->run(tool);
  }
  return kExitUsage;
}

}  // namespace

int dispatch_words(Tool& tool, const char* name, const char* summary, std::span<const Subcommand> table,
                   std::vector<std::string> words) {
  CLI::App app{summary, name};
  return parse_and_run(app, tool, table, std::move(words));
}

int tool_main(const char* name, const char* summary, std::span<const Subcommand> table, int argc, char** argv) {
  os::hold_standard_streams();
  Tool tool(name);
  return end_output(name, dispatch_words(tool, name, summary, table, {argv + 1, argv + argc}));
}

}  // namespace ndb::cli
