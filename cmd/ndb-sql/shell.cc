#include "shell.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <histedit.h>
#include <sstream>

#include "meta/words.h"
#include "mgmt/text_table.h"
#include "os/files.h"
#include "sql/definition.h"
#include "sql/words.h"

namespace ndb::tool {

namespace {

constexpr const char* kHelp =
    "  SQL statements end with a semicolon.\n"
    "  .tables             the tables of the cluster\n"
    "  .schema [TABLE]     the statements that make them\n"
    "  .format WORD        table, csv or json\n"
    "  .durable on|off     commits wait until they are on disk\n"
    "  .timer on|off       show how long statements take\n"
    "  .quit               leave\n";

sql::Session* g_running = nullptr;  // whose statement an interrupt ends

void on_interrupt_signal(int) {
  if (g_running != nullptr) g_running->interrupt();
}

const char* g_prompt = "ndb> ";
char* prompt(EditLine*) { return const_cast<char*>(g_prompt); }

class ManagementSchema : public sql::Schema {
 public:
  explicit ManagementSchema(cli::Tool& tool) : tool_(tool) {}
  Result<Version> create_table(const meta::Table& t, bool if_not_exists) override {
    mgmt::Json json;
    json.object().member("name", t.name).member("if_not_exists", if_not_exists);
    mgmt::write_definition(json, t);
    json.end_object();
    return version_of(tool_.change("ndb create table", {}, {}, json.text()));
  }
  Result<Version> drop_table(const std::string& name, bool if_exists) override {
    return version_of(tool_.change("ndb drop table", {{"name", name}, {"if_exists", if_exists ? "1" : "0"}}, {}));
  }

 private:
  static Result<Version> version_of(const Result<cli::Tool::Reply>& r) {
    if (!r) return r.failure();
    return static_cast<Version>(std::strtoull(r->value("version").c_str(), nullptr, 10));
  }
  cli::Tool& tool_;
};

}  // namespace

std::unique_ptr<sql::Schema> management_schema(cli::Tool& tool) { return std::make_unique<ManagementSchema>(tool); }

Shell::Shell(cli::Tool& tool, std::unique_ptr<sql::Session> session, std::string format, bool keep_going)
    : tool_(tool), session_(std::move(session)), printer_(make_printer(format)), keep_going_(keep_going) {}
Shell::~Shell() = default;

int Shell::statements(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(sql::statement_end(text, at), text.size());
    const std::string statement = text.substr(at, end - at);
    at = end;
    if (sql::blank(statement)) continue;
    const Time start = os::monotonic_now();
    g_running = session_.get();
    Failure f = session_->execute(statement, *printer_);
    g_running = nullptr;
    if (f) {
      printer_->statement_failed();
      std::fflush(stdout);
      const int status = f.error == Error::cancelled ? cli::kExitInterrupted : tool_.fail(f);
      if (f.error == Error::cancelled) tool_.note("interrupted; nothing of this statement was done");
      if (status_ == 0) status_ = status;
      if (!keep_going_) return status;
      continue;
    }
    printer_->statement_done(session_->changes());
    if (timer_) std::fprintf(stderr, "%.3f ms\n", static_cast<double>(os::monotonic_now() - start) / 1e6);
  }
  return 0;
}

bool Shell::dot_command(const std::string& line, int* status) {
  std::istringstream in(line);
  std::string verb, argument;
  in >> verb >> std::ws;
  std::getline(in, argument);
  argument.resize(argument.find_last_not_of(" \t\r") + 1);
  argument = sql::unquoted(argument);
  *status = 0;
  if (verb == ".quit" || verb == ".exit") return false;
  if (verb == ".help") {
    std::fputs(kHelp, stdout);
  } else if (verb == ".tables" || verb == ".schema") {
    bool found = argument.empty() || verb == ".tables";
    for (const auto& t : session_->tables()) {
      if (verb == ".schema" && !argument.empty() && !meta::same_name(t->name, argument)) continue;
      found = true;
      std::printf("%s\n", verb == ".tables" ? t->name.c_str() : (sql::create_statement(*t) + ";").c_str());
    }
    if (!found) *status = tool_.fail({Error::no_such_table, "no such table: '" + argument + "'"});
  } else if (verb == ".format" && make_printer(argument)) {
    printer_ = make_printer(argument);
  } else if (verb == ".durable" && (argument == "on" || argument == "off")) {
    session_->set_durable(argument == "on");
  } else if (verb == ".timer" && (argument == "on" || argument == "off")) {
    timer_ = argument == "on";
  } else {
    *status = tool_.usage("'" + line + "' is no command; .help lists them");
  }
  std::fflush(stdout);
  return true;
}

int Shell::run_text(const std::string& text) {
  std::istringstream in(text);
  return run_stream(in);
}

int Shell::run_stream(std::istream& in) {
  std::string waiting;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] == '.' && sql::blank(waiting)) {
      int status = 0;
      if (!dot_command(line, &status)) return status_;
      if (status != 0 && status_ == 0) status_ = status;
      if (status != 0 && !keep_going_) return status;
      continue;
    }
    waiting += line;
    waiting += '\n';
    // Looked at only where a statement may end, so that a long one costs no more than its length.
    if (line.find(';') == std::string::npos || !sql::Session::complete(waiting)) continue;
    const int status = statements(waiting);
    if (status != 0 && !keep_going_) return status;
    waiting.clear();
  }
  if (!sql::blank(waiting)) {
    const int status = statements(waiting);
    if (status != 0 && !keep_going_) return status;
  }
  return status_;
}

int Shell::run_terminal() {
  struct sigaction action {};
  action.sa_handler = on_interrupt_signal;  // no SA_RESTART: the line that is being typed is given up
  ::sigaction(SIGINT, &action, nullptr);
  const char* home = std::getenv("HOME");
  const std::string history_file = home != nullptr ? std::string(home) + "/.ndb_sql_history" : "";
  History* history = ::history_init();
  HistEvent event;
  ::history(history, &event, H_SETSIZE, 1000);
  if (!history_file.empty()) ::history(history, &event, H_LOAD, history_file.c_str());
  EditLine* editor = ::el_init("ndb-sql", stdin, stdout, stderr);
  ::el_set(editor, EL_PROMPT, prompt);
  ::el_set(editor, EL_EDITOR, "emacs");
  ::el_set(editor, EL_HIST, ::history, history);
  ::el_source(editor, nullptr);
  keep_going_ = true;
  std::string waiting;
  while (true) {
    g_prompt = waiting.empty() ? (session_->in_transaction() ? "ndb*> " : "ndb> ") : "  -> ";
    int count = 0;
    const char* typed = ::el_gets(editor, &count);
    if (typed == nullptr && errno == EINTR && count == -1) {
      waiting.clear();
      std::fputs("\n", stdout);
      errno = 0;
      continue;
    }
    if (typed == nullptr || count <= 0) break;
    const std::string line(typed, static_cast<std::size_t>(count));
    if (!sql::blank(line)) ::history(history, &event, H_ENTER, typed);
    if (line[0] == '.' && waiting.empty()) {
      int status = 0;
      if (!dot_command(line.substr(0, line.find('\n')), &status)) break;
      continue;
    }
    waiting += line;
    if (!sql::Session::complete(waiting)) continue;
    statements(waiting);
    waiting.clear();
  }
  if (!history_file.empty()) ::history(history, &event, H_SAVE, history_file.c_str());
  ::el_end(editor);
  ::history_end(history);
  return 0;
}

}  // namespace ndb::tool
