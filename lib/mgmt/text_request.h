// Requests of the management protocol, read from a stream of bytes (docs/PROTOCOL.md, section 1).
//
//   get status            a command of the table
//   types: "NDB MGM"      its arguments, in any order
//                         an empty line; behind it, for some commands, Content-Length bytes and a line end
//
// Promises: bytes may come cut anywhere; requests come out whole, in order, and checked against the table: known
// arguments, each once, numbers that are numbers, the mandatory ones there, a bulk of an allowed length. What breaks a
// rule yields a complaint, the words to answer with. After a complaint the rest of the broken request is skipped.
// Memory is bounded by limits: a stream that cannot be followed any more says `broken`, its connection is to be closed.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace ndb::mgmt {

// `arguments`: names joined by ','. '#' before a name: a number; '!' behind it: mandatory. A command with
// Content-Length among them has a bulk. "*" alone: lines up to the next empty line follow, and are the bulk.
struct CommandSpec {
  std::string_view name;
  std::string_view arguments;
};

struct Request {
  const CommandSpec* command = nullptr;
  std::map<std::string, std::string, std::less<>> values;
  std::string bulk;
  bool bad_bulk = false;  // Content-Length was out of bounds: nothing was read, and the stream is broken behind it

  bool has(std::string_view name) const { return values.find(name) != values.end(); }
  std::string_view text(std::string_view name, std::string_view absent = {}) const;
  std::int64_t number(std::string_view name, std::int64_t absent = 0) const;  // absent also when it is no number
};

class RequestReader {
 public:
  enum class Got : std::uint8_t {
    nothing,    // the bytes so far hold no more
    request,    // *request is set
    complaint,  // *complaint is set: "Unknown argument, 'foo'"
    broken,     // as complaint, and nothing can be read any more
  };
  explicit RequestReader(std::span<const CommandSpec> commands) : commands_(commands) {}

  void feed(Bytes bytes);
  Got next(Request* request, std::string* complaint);
  std::size_t unread() const { return buffer_.size() - at_; }  // bytes behind what next() has taken

 private:
  enum class State : std::uint8_t { command, arguments, skipping, length_bulk, line_bulk, broken };
  bool take_line(std::string_view* line);  // without its end, trimmed
  Got on_command(std::string_view line, std::string* complaint);
  void on_argument(std::string_view line);
  Got on_end(Request* request, std::string* complaint);
  Got on_bulk(Request* request, std::string* complaint);
  Got finish(Request* request);
  Got complain(std::string* complaint, std::string text, State next);
  void wrong(std::string_view what, std::string_view token);

  std::span<const CommandSpec> commands_;
  std::string buffer_;
  std::size_t at_ = 0;
  State state_ = State::command;
  Request building_;
  std::string wrong_;  // the first mistake of the request that is being read
  std::size_t bulk_bytes_ = 0;
};

// What a table says about one argument.
struct ArgumentSpec {
  bool known = false;
  bool number = false;
  bool mandatory = false;
};
ArgumentSpec find_argument(std::string_view arguments, std::string_view name);
bool parse_number(std::string_view text, std::int64_t* number);
std::string_view trim(std::string_view s);
std::vector<std::string_view> split_words(std::string_view s, std::string_view separators = " \t,");

}  // namespace ndb::mgmt
