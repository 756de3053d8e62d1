// `ndb-traffic verify`: reads every row and asks every node, and compares both with what was acknowledged.
#include <chrono>
#include <thread>
#include <unordered_set>

#include "base/hash.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "commands.h"
#include "journal.h"
#include "mgmt/text_reply.h"
#include "os/loop.h"
#include "replicas.h"
#include "rows.h"

namespace ndb::traffic {

namespace {

constexpr int kScanTries = 20;
constexpr std::size_t kSentencesMax = 10;

struct Sum {
  std::uint64_t rows = 0, checksum = 0;
  friend bool operator==(const Sum&, const Sum&) = default;
};

// What a scan saw.
struct Seen {
  std::uint64_t rows = 0, checksum = 0, lost = 0, wrong = 0, duplicated = 0;
  std::int64_t balances = 0;
  std::vector<Sum> fragments;  // by the fragment in which the distribution wants the row
};

struct Placement {
  std::uint64_t misplaced = 0;  // replicas that hold other rows than the distribution says
  bool equal = true;            // all replicas of each fragment are there and identical
};

struct Verify final : cli::Command {
  std::string table_name, bank_name, journal_path;
  std::uint64_t timeout_s = 10;

  void declare(cli::Options& o) override {
    o.text("--table", &table_name, "the table", "NAME", true);
    o.text("--bank", &bank_name, "the table of accounts", "NAME");
    o.text("--journal", &journal_path, "what 'ndb-traffic run' recorded", "FILE", true);
    o.number("--timeout", &timeout_s, "for how long replicas may differ until the last change reaches them", "SECONDS");
  }

  int run(cli::Tool& tool) override {
    auto journal = read_journal(journal_path);
    if (!journal) return tool.fail(journal.failure());
    if (!journal->complete)
      return tool.refuse("'" + journal_path + "' has no end: the traffic was killed or still runs");
    auto cluster = cli::connect_cluster(tool.connectstring);
    if (!cluster) return tool.fail(cluster.failure());
    auto table = (*cluster)->table(table_name);
    if (!table) return tool.fail(table.failure());
    auto seen = look(**cluster, *table, &*journal);
    if (!seen) return tool.fail(seen.failure());
    auto placed = place(tool, **cluster, *table, *seen);
    if (!placed) return tool.fail(placed.failure());
    bool bank_ok = true;
    if (!bank_name.empty()) {
      auto bank = (*cluster)->table(bank_name);
      if (!bank) return tool.fail(bank.failure());
      auto accounts = look(**cluster, *bank, nullptr);
      if (!accounts) return tool.fail(accounts.failure());
      auto bank_placed = place(tool, **cluster, *bank, *accounts);
      if (!bank_placed) return tool.fail(bank_placed.failure());
      placed->misplaced += bank_placed->misplaced;
      placed->equal = placed->equal && bank_placed->equal;
      bank_ok =
          accounts->rows == journal->accounts && accounts->balances == journal->bank_sum && accounts->duplicated == 0;
      if (!bank_ok) {
        say("the bank has " + std::to_string(accounts->rows) + " accounts with " + std::to_string(accounts->balances) +
            ", expected are " + std::to_string(journal->accounts) + " with " + std::to_string(journal->bank_sum));
      }
    }
    for (const std::string& s : sentences_) tool.note(s);
    return report(tool, *journal, *seen, *placed, bank_ok);
  }

  void say(const std::string& sentence) {
    if (sentences_.size() < kSentencesMax) sentences_.push_back(sentence);
  }

  int report(cli::Tool& tool, const Journal& j, const Seen& seen, const Placement& p, bool bank_ok) {
    std::uint64_t expected = 0;
    for (const auto& [key, e] : j.rows) expected += e.absent && !e.one && !e.two ? 0 : 1;
    char checksum[17];
    std::snprintf(checksum, sizeof checksum, "%016llx", static_cast<unsigned long long>(seen.checksum));
    const bool good = seen.lost + seen.wrong + seen.duplicated + p.misplaced == 0 && p.equal && bank_ok;
    if (tool.json()) {
      mgmt::Json out;
      out.object().member("format_version", 1).member("changed", false).member("rows", seen.rows);
      out.member("rows_expected", expected).member("checksum", checksum).member("lost", seen.lost);
      out.member("wrong", seen.wrong).member("duplicated", seen.duplicated).member("unknown", j.unknown);
      out.member("misplaced", p.misplaced).member("replicas_equal", p.equal).member("bank_ok", bank_ok);
      out.member("good", good).end_object();
      cli::print_line(out.text());
    } else {
      cli::Table t({"what", "found", "expected"});
      t.row({"rows", std::to_string(seen.rows), std::to_string(expected)});
      t.row({"lost", std::to_string(seen.lost), "0"}).row({"wrong", std::to_string(seen.wrong), "0"});
      t.row({"duplicated", std::to_string(seen.duplicated), "0"});
      t.row({"misplaced", std::to_string(p.misplaced), "0"});
      t.row({"replicas_equal", p.equal ? "yes" : "no", "yes"});
      if (!bank_name.empty()) t.row({"bank_sum", bank_ok ? "constant" : "changed", "constant"});
      t.print(tool.format());
    }
    return good ? cli::kExitDone : cli::kExitRefused;
  }

  // One whole scan; with a journal every row is compared.
  Result<Seen> look(client::Cluster& cluster, const client::Table& t, const Journal* journal) {
    Failure last;
    for (int attempt = 0; attempt < kScanTries; attempt++) {
      const std::size_t said = sentences_.size();
      auto seen = look_once(cluster, t, journal);
      if (seen || !is_temporary(seen.error())) return seen;
      last = seen.failure();
      sentences_.resize(said);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return last;
  }

  Result<Seen> look_once(client::Cluster& cluster, const client::Table& t, const Journal* journal) {
    const auto catalog = cluster.catalog();
    const meta::Table* now = catalog->table(t.name());
    if (now == nullptr) return Failure{Error::no_such_table, "table '" + t.name() + "' is gone"};
    Seen seen;
    seen.fragments.resize(now->distribution.groups.size());
    std::unordered_set<std::uint64_t> keys;
    auto scan = cluster.scan(t);
    if (!scan) return scan.failure();
    Bytes image;
    while (true) {
      auto more = scan->next(&image);
      if (!more) return more.failure();
      if (!*more) break;
      const std::uint64_t key = key_name(t, image), hash = block_hash(image);
      seen.rows++;
      seen.checksum += hash;
      const FragmentId f = now->distribution.map[meta::bucket_of(t.shape().hash_of_image(image))];
      if (f < seen.fragments.size()) seen.fragments[f].rows++, seen.fragments[f].checksum += hash;
      if (!keys.insert(key).second) {
        seen.duplicated++;
        say("table '" + t.name() + "': a row was seen twice");
      } else if (journal != nullptr) {
        compare(*journal, t, image, key, hash, seen);
      } else {
        const bool first = t.definition().primary_key.front() == 0;
        seen.balances += t.shape().get(image, first ? 1 : 0).i;
      }
    }
    // A catalog of a management server that was behind, or a reorganisation: the rows lie where a newer one says.
    const auto newest = cluster.catalog();
    const meta::Table* after = newest->table(t.name());
    if (after == nullptr || after->distribution.view != now->distribution.view) return Failure{Error::stale_view, {}};
    if (journal == nullptr) return seen;
    for (const auto& [key, e] : journal->rows) {
      if (e.absent || keys.count(key) != 0) continue;
      seen.lost++;
      say("a row that was acknowledged is not there");
    }
    return seen;
  }

  void compare(const Journal& journal, const client::Table& t, Bytes image, std::uint64_t key, std::uint64_t hash,
               Seen& seen) {
    const auto e = journal.rows.find(key);
    const std::int64_t id = t.shape().get(image, t.definition().primary_key.front()).i;
    if (e == journal.rows.end() || (!e->second.one && !e->second.two)) {
      seen.duplicated++;
      say("row " + std::to_string(id) + " is there, but " +
          (e == journal.rows.end() ? "nobody wrote it" : "it was deleted"));
    } else if (!e->second.allows(hash)) {
      seen.wrong++;
      say("row " + std::to_string(id) + " is not what was acknowledged");
    }
  }

  // Compares what the nodes say they hold with what the distribution wants them to hold. Backups learn of the last
  // commits a little later: a difference counts when it stays.
  Result<Placement> place(cli::Tool& tool, client::Cluster& cluster, const client::Table& t, const Seen& seen) {
    const Time deadline = os::Loop::now() + static_cast<Time>(timeout_s) * kSecond;
    while (true) {
      auto d = describe(tool, t.name());
      if (!d) return d.failure();
      if (Failure f = cluster.wait_for(d->version)) return f;
      std::vector<std::string> said;
      const Placement p = place_once(*d, t, seen, said);
      if ((p.misplaced == 0 && p.equal) || os::Loop::now() >= deadline) {
        for (const std::string& s : said) say(s);
        return p;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  static Placement place_once(const Description& d, const client::Table& t, const Seen& seen,
                              std::vector<std::string>& said) {
    Placement p;
    if (d.phase != "none") {
      p.equal = false;
      said.push_back("table '" + t.name() + "' is being reorganised (" + d.phase + ")");
    }
    for (const Fragment& f : d.fragments) {
      const std::string name = "table '" + t.name() + "', fragment " + std::to_string(f.number);
      const Sum wanted = f.number < seen.fragments.size() ? seen.fragments[f.number] : Sum{};
      if (f.replicas.size() != f.members) {
        p.equal = false;
        said.push_back(name + ": " + std::to_string(f.replicas.size()) + " of " + std::to_string(f.members) +
                       " replicas are known");
      }
      for (const Replica& r : f.replicas) {
        if (Sum{r.rows, r.checksum} != wanted) {
          p.misplaced++;
          said.push_back(name + ": node " + std::to_string(r.node) + " holds " + std::to_string(r.rows) +
                         " rows, the distribution says " + std::to_string(wanted.rows) +
                         (r.rows == wanted.rows ? " with other contents" : ""));
        }
        if (r.rows != f.replicas.front().rows || r.checksum != f.replicas.front().checksum) p.equal = false;
      }
    }
    return p;
  }

  std::vector<std::string> sentences_;
};

}  // namespace

std::unique_ptr<cli::Command> make_verify() { return cli::make_command<Verify>(); }

}  // namespace ndb::traffic
