// The conversation of ndb-sql: statements and dot commands from -e, a file, standard input or a terminal.
#pragma once
#include <istream>
#include <memory>
#include <string>

#include "cli/tool.h"
#include "sinks.h"
#include "sql/session.h"

namespace ndb::tool {

class Shell {
 public:
  Shell(cli::Tool& tool, std::unique_ptr<sql::Session> session, std::string format, bool keep_going);
  ~Shell();

  // Each returns the exit status: of the first failure, or 0.
  int run_text(const std::string& text);
  int run_stream(std::istream& in);
  int run_terminal();  // line editing and history through libedit

 private:
  int statements(const std::string& sql);
  bool dot_command(const std::string& line, int* status);  // false: .quit
  cli::Tool& tool_;
  std::unique_ptr<sql::Session> session_;
  std::unique_ptr<Printer> printer_;
  bool keep_going_;
  bool timer_ = false;
  int status_ = 0;
};

// CREATE TABLE and DROP TABLE as requests to the management server.
std::unique_ptr<sql::Schema> management_schema(cli::Tool& tool);

}  // namespace ndb::tool
