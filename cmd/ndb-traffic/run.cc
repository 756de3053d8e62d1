// `ndb-traffic run`: looks at what is there, then makes traffic until it is told to stop.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <thread>

#include "base/hash.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/tool.h"
#include "commands.h"
#include "mgmt/text_reply.h"
#include "os/files.h"
#include "os/loop.h"
#include "worker.h"

namespace ndb::traffic {

namespace {

constexpr std::size_t kSamples = 10'000;
constexpr int kScanTries = 20;

volatile std::sig_atomic_t told_to_stop = 0;
void on_stop(int) { told_to_stop = 1; }

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", ms);
  return text;
}

struct Run final : cli::Command {
  std::string table_name, bank_name, journal_path, stop_file, marks_file, summary_file;
  std::uint64_t accounts = 1000, threads = 4, rate = 2000, first_id = 1'000'000'000, patience_s = 60, seconds = 0;
  bool durable = false;

  void declare(cli::Options& o) override {
    o.text("--table", &table_name, "the table; its primary key is one column of type int or bigint", "NAME", true);
    o.text("--bank", &bank_name, "the table of accounts: a key and a balance, both bigint", "NAME");
    o.number("--accounts", &accounts, "accounts of the bank");
    o.text("--journal", &journal_path, "where to record what was acknowledged", "FILE", true);
    o.text("--marks", &marks_file, "a line in this file begins the interval that it names", "FILE");
    o.text("--stop-file", &stop_file, "stop as soon as this file exists", "FILE");
    o.text("--summary", &summary_file, "write the summary here instead of to standard output", "FILE");
    o.number("--seconds", &seconds, "stop after so many seconds; 0: when told");
    o.number("--threads", &threads, "clients");
    o.number("--rate", &rate, "operations a second of all clients together; 0: as many as possible");
    o.number("--first-id", &first_id, "the first id of rows of its own");
    o.flag("--durable", &durable, "an operation is acknowledged when it is on the disks");
    o.number("--patience", &patience_s, "seconds for which an operation is repeated", "SECONDS");
  }

  int run(cli::Tool& tool) override {
    if (threads == 0 || threads > 64) return tool.usage("--threads: a number from 1 to 64");
    if (!bank_name.empty() && accounts < 2) return tool.usage("--accounts: at least 2");
    auto cluster = cli::connect_cluster(tool.connectstring);
    if (!cluster) return tool.fail(cluster.failure());
    auto table = (*cluster)->table(table_name);
    if (!table) return tool.fail(table.failure());
    if (const std::string no = RowMaker(*table).refusal(); !no.empty()) return tool.refuse(no);
    client::Table bank;
    if (!bank_name.empty()) {
      auto found = (*cluster)->table(bank_name);
      if (!found) return tool.fail(found.failure());
      bank = *found;
    }
    JournalWriter journal;
    if (Failure f = journal.open(journal_path, static_cast<std::int64_t>(first_id))) return tool.fail(f);
    Latencies latencies(os::Loop::now());
    Shared shared{**cluster,
                  *table,
                  bank,
                  journal,
                  latencies,
                  {},
                  bank ? accounts : 0,
                  rate == 0 ? 0 : static_cast<double>(rate) / static_cast<double>(threads),
                  static_cast<Time>(patience_s) * kSecond,
                  durable,
                  {},
                  {},
                  {},
                  {},
                  {},
                  {},
                  {},
                  {},
                  {}};
    if (Failure f = look_around(shared)) return tool.fail(f);
    if (bank) {
      if (Failure f = open_bank(shared)) return tool.fail(f);
    }
    if (Failure f = journal.begin()) return tool.fail(f);
    return make_traffic(tool, shared);
  }

  // Records every row that is there, and picks some to be read. Ids of the traffic's own range are passed over.
  Failure look_around(Shared& s) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> present;
    Failure last;
    for (int attempt = 0; attempt < kScanTries; attempt++) {
      present.clear();
      s.samples.clear();
      highest_ = 0;
      last = scan_once(s, present);
      if (!last) break;
      if (!is_temporary(last.error)) return last;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    if (last) return last;
    for (const auto& [key, image] : present) s.journal.add(Kind::present, key, image);
    return {};
  }

  Failure scan_once(Shared& s, std::vector<std::pair<std::uint64_t, std::uint64_t>>& present) {
    auto scan = s.cluster.scan(s.table);
    if (!scan) return scan.failure();
    Prng prng(1);
    Bytes image;
    const std::uint16_t key = s.table.definition().primary_key.front();
    while (true) {
      auto more = scan->next(&image);
      if (!more) return more.failure();
      if (!*more) return {};
      present.emplace_back(key_name(s.table, image), block_hash(image));
      highest_ = std::max(highest_, s.table.shape().get(image, key).i);
      if (s.samples.size() < kSamples) {
        s.samples.emplace_back(image);
      } else if (const std::uint64_t at = prng.below(present.size()); at < kSamples) {
        s.samples[at].assign(image);
      }
    }
  }

  Failure open_bank(Shared& s) {
    constexpr std::int64_t kBalance = 1000;
    auto count = s.cluster.count(s.bank);
    if (!count) return count.failure();
    if (*count == 0) {
      auto batch = s.cluster.batch();
      for (std::uint64_t i = 0; i < accounts; i++) {
        const client::Value row[] = {client::Value::of_int(static_cast<std::int64_t>(i)),
                                     client::Value::of_int(kBalance)};
        batch.insert(s.bank, row, i);
      }
      if (auto failed = batch.finish(); !failed.empty()) {
        return {failed.front().error, "account " + std::to_string(failed.front().number) + " cannot be opened"};
      }
      // The epochs before a durable one are durable.
      const client::Value first[] = {client::Value::of_int(0), client::Value::of_int(kBalance)};
      if (Failure f = run_patiently(s, [&](client::Transaction& x) { return x.replace(s.bank, first); })) return f;
    } else if (*count != accounts) {
      return {Error::row_exists,
              "table '" + bank_name + "' has " + std::to_string(*count) + " rows, not " + std::to_string(accounts)};
    }
    s.journal.add(Kind::bank, accounts, static_cast<std::uint64_t>(kBalance) * accounts);
    return {};
  }

  int make_traffic(cli::Tool& tool, Shared& s) {
    for (int signal : {SIGTERM, SIGINT}) std::signal(signal, on_stop);
    const Time began = os::Loop::now();
    s.latencies.mark("start", began);
    std::int64_t id = std::max(static_cast<std::int64_t>(first_id), highest_ + 1);
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<std::thread> running;
    for (std::uint64_t i = 0; i < threads; i++, id += kIdsPerThread) {
      workers.push_back(std::make_unique<Worker>(s, id, i + 1));
    }
    for (auto& w : workers) running.emplace_back([&w] { w->run(); });
    while (told_to_stop == 0 && (stop_file.empty() || access(stop_file.c_str(), F_OK) != 0)) {
      if (seconds != 0 && os::Loop::now() - began > static_cast<Time>(seconds) * kSecond) break;
      read_marks(s);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    s.stop = true;
    for (auto& t : running) t.join();
    read_marks(s);
    if (Failure f = s.journal.finish()) return tool.fail(f);
    const std::string text = summary(s, os::Loop::now() - began);
    for (const std::string& sentence : s.sentences) tool.note(sentence);
    if (summary_file.empty()) {
      cli::print_line(text);
    } else if (Failure f = os::write_file_atomically(summary_file, text + "\n")) {
      return tool.fail(f);
    }
    return s.errors == 0 && s.wrong_reads == 0 ? cli::kExitDone : cli::kExitRefused;
  }

  void read_marks(Shared& s) {
    if (marks_file.empty()) return;
    std::ifstream in(marks_file);
    std::string line;
    std::size_t n = 0;
    while (std::getline(in, line) && !in.eof()) {  // a last line without its end is still being written
      if (++n > marks_) s.latencies.mark(line, os::Loop::now()), marks_ = n;
    }
  }

  std::string summary(Shared& s, Time lasted) {
    const auto intervals = s.latencies.finish(os::Loop::now());
    Time silence = 0;
    for (const Interval& i : intervals) silence = std::max(silence, i.max_silence);
    mgmt::Json j;
    j.object().member("format_version", 1).member("changed", true);
    j.member("dml_ok", s.reads + s.writes + s.transfers).member("dml_errors", s.errors.load());
    j.member("reads", s.reads.load()).member("writes", s.writes.load()).member("transfers", s.transfers.load());
    j.member("unknown", s.unknown.load()).member("wrong_reads", s.wrong_reads.load());
    j.name("seconds").raw(milliseconds(static_cast<double>(lasted) / 1e9));
    j.name("max_stall_ms").raw(milliseconds(static_cast<double>(silence) / 1e6)).name("intervals").array();
    for (const Interval& i : intervals) {
      j.object().member("name", i.name).member("operations", i.latencies.count()).member("errors", i.errors);
      j.name("seconds").raw(milliseconds(static_cast<double>(i.lasted) / 1e9));
      j.name("p50_ms").raw(milliseconds(i.latencies.quantile_ms(0.5)));
      j.name("p99_ms").raw(milliseconds(i.latencies.quantile_ms(0.99)));
      j.name("max_ms").raw(milliseconds(i.latencies.max_ms()));
      j.name("max_stall_ms").raw(milliseconds(static_cast<double>(i.max_silence) / 1e6)).end_object();
    }
    return j.end_array().end_object().text();
  }

  std::int64_t highest_ = 0;
  std::size_t marks_ = 0;
};

}  // namespace

std::unique_ptr<cli::Command> make_run() { return cli::make_command<Run>(); }

}  // namespace ndb::traffic
