// What every operator's tool has: a name, where its cluster is, how it prints, and the two ways to speak to a
// management server.
//
//   ask     a question; may be put again as often as one likes
//   change  sent with a request id drawn once. When no answer comes, or the connection breaks after it was sent,
//           the same id is sent again, here or to another server of the connect string: twice the same id is one
//           change. Still no answer after kChangePatience: Error::timed_out, exit status 4, and the whole command
//           may be repeated.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/ids.h"
#include "cli/connect.h"
#include "cli/exit.h"
#include "cli/options.h"
#include "cli/output.h"

namespace ndb::cli {

inline constexpr Time kAskTimeout = 15 * kSecond;
inline constexpr Time kChangePatience = 40 * kSecond;  // four times what a server waits for a leader

// --dry-run and --if-version of everything that changes something.
struct ChangeOptions {
  bool dry_run = false;
  std::uint64_t if_version = 0;
  void declare(Options& o);
};

class Tool {
 public:
  using Reply = Management::Reply;
  using Keys = Management::Keys;

  explicit Tool(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  std::string connectstring;          // option
  std::string format_word = "table";  // option
  Format format() const { return find_format(format_word).value_or(Format::table); }
  bool json() const { return format() == Format::json; }

  // `patience`: for how long to go on when nobody answers (a management server that restarts).
  Result<Reply> ask(const std::string& command, const Keys& keys = {}, Time patience = 0);
  Result<Reply> change(const std::string& command, Keys keys, const ChangeOptions& options,
                       const std::string& bulk = {});
  // What the server said last, also when it refused.
  const Reply& last_reply() const { return management_->last_reply(); }
  // An order that must not be given twice (stop, restart): once sent and not answered, its outcome is unknown.
  Result<Reply> order(const std::string& command, const Keys& keys, Time timeout = kAskTimeout);
  // Returns when the version is greater, or after at_most; the answer is the present one (the same when nobody says
  // it: then the time was slept).
  std::uint64_t wait_for_change(std::uint64_t version, Time at_most);

  // Each prints one line on stderr; the answer is the exit status.
  int fail(const Failure& failure) const { return report_failure(name_, failure); }
  int refuse(std::string_view sentence, int status = kExitRefused) const {
    return report_refusal(name_, sentence, status);
  }
  int usage(std::string_view sentence) const { return report_refusal(name_, sentence, kExitUsage); }
  void note(std::string_view sentence) const;  // for people: on stderr, with the tool's name
  void on_interrupt(const std::string& what_goes_on) const;

  // The server is not one of ours: it does not know the command.
  static bool unknown_command(const Failure& failure) noexcept;
  // "'show' ..." for verbs that a stock server cannot do.
  int refuse_stock(std::string_view verb) const;

 private:
  Failure connect();
  Result<Reply> request(const std::string& command, const Keys& keys, const std::string& bulk,
                        Time timeout = kAskTimeout);

  std::string name_;
  std::unique_ptr<Management> management_;
};

// "3,4" or "3 4", each 1 to 255; fails with the word that is none.
Result<std::vector<NodeId>> parse_node_ids(std::string_view words);
Result<std::vector<NodeId>> parse_node_ids(const std::vector<std::string>& words);

}  // namespace ndb::cli
