// `ndb-traffic registers`: several clients read, write and swap the same few rows, and every operation is remembered
// with the times of its call and its return. At the end each row's history must be linearizable
// (client/linearizable.h). Rows are changed for new ones every so often, which keeps histories short.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>

#include "base/prng.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/tool.h"
#include "client/linearizable.h"
#include "commands.h"
#include "mgmt/text_reply.h"
#include "os/files.h"
#include "os/loop.h"

namespace ndb::traffic {

namespace {

using client::RegisterOp;
using client::Transaction;
using client::Value;
using Kind = RegisterOp::Kind;

constexpr std::uint64_t kOperationsOfRows = 2000;  // then other rows are used

volatile std::sig_atomic_t told_to_stop = 0;
void on_stop(int) { told_to_stop = 1; }

struct Registers final : cli::Command {
  std::string table_name, stop_file, summary_file;
  std::uint64_t rows = 5, threads = 4, rate = 400, patience_s = 20, seconds = 0;
  bool durable = false;

  void declare(cli::Options& o) override {
    o.text("--table", &table_name, "the table: a key and a value, both bigint; nobody else uses it", "NAME", true);
    o.text("--stop-file", &stop_file, "stop as soon as this file exists", "FILE");
    o.text("--summary", &summary_file, "write the summary here instead of to standard output", "FILE");
    o.number("--seconds", &seconds, "stop after so many seconds; 0: when told");
    o.number("--rows", &rows, "rows that are used at the same time");
    o.number("--threads", &threads, "clients");
    o.number("--rate", &rate, "operations a second of all clients together");
    o.number("--patience", &patience_s, "seconds for which an operation is repeated", "SECONDS");
    o.flag("--durable", &durable, "an operation is acknowledged when it is on the disks");
  }

  int run(cli::Tool& tool) override {
    if (threads == 0 || threads > 16) return tool.usage("--threads: a number from 1 to 16");
    if (rows == 0 || rate == 0) return tool.usage("--rows and --rate: at least 1");
    auto cluster = cli::connect_cluster(tool.connectstring);
    if (!cluster) return tool.fail(cluster.failure());
    cluster_ = *cluster;
    auto table = cluster_->table(table_name);
    if (!table) return tool.fail(table.failure());
    table_ = *table;
    if (table_.definition().columns.size() != 2 || table_.definition().primary_key != std::vector<std::uint16_t>{0}) {
      return tool.refuse("table '" + table_name + "' does not have a key and one more column");
    }
    for (int signal : {SIGTERM, SIGINT}) std::signal(signal, on_stop);
    const Time began = os::Loop::now();
    first_row_ =
        static_cast<std::int64_t>(os::unix_now_ns() / kMillisecond) * 1000;  // rows of earlier runs are left alone
    std::vector<std::thread> running;
    for (std::uint64_t i = 0; i < threads; i++) running.emplace_back([this, i] { work(i); });
    while (told_to_stop == 0 && (stop_file.empty() || access(stop_file.c_str(), F_OK) != 0)) {
      if (seconds != 0 && os::Loop::now() - began > static_cast<Time>(seconds) * kSecond) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    stop_ = true;
    for (auto& t : running) t.join();
    return report(tool);
  }

 private:
  void work(std::uint64_t number) {
    Prng prng(number + 1);
    const Time pause = static_cast<Time>(threads * static_cast<std::uint64_t>(kSecond) / rate);
    while (!stop_) {
      const std::uint64_t n = begun_++;
      const auto row = first_row_ + static_cast<std::int64_t>(n / kOperationsOfRows * rows + prng.below(rows));
      const std::uint64_t dice = prng.below(10);
      operation(row, dice < 4 ? Kind::read : dice < 7 ? Kind::write : Kind::swap, number);
      std::this_thread::sleep_for(std::chrono::nanoseconds(prng.below(2 * static_cast<std::uint64_t>(pause))));
    }
  }

  void operation(std::int64_t row, Kind kind, std::uint64_t number) {
    RegisterOp op;
    op.kind = kind;
    op.who = "client " + std::to_string(number + 1);
    if (kind != Kind::read) op.value = ++values_;
    op.called = os::Loop::now();
    bool nothing = false;
    const Failure f = cluster_->run([&](Transaction& x) { return attempt(x, row, &op, &nothing); },
                                    static_cast<Time>(patience_s) * kSecond);
    const Time returned = os::Loop::now();
    std::lock_guard lock(mutex_);
    longest_ = std::max(longest_, returned - op.called);
    const bool unknown = f.error == Error::outcome_unknown || f.error == Error::timed_out;
    if (f && !unknown) {  // it has not happened
      errors_++;
      last_error_ = f.sentence();
      return;
    }
    if (unknown) {
      unknown_++;
      if (kind == Kind::read) return;
    } else {
      op.returned = returned;
      done_++;
    }
    if (nothing) op.kind = Kind::read;  // a swap that found no row and wrote none
    history_[row].push_back(op);
  }

  Failure attempt(Transaction& x, std::int64_t row, RegisterOp* op, bool* nothing) const {
    const Value key[] = {Value::of_int(row)};
    const Value whole[] = {Value::of_int(row), Value::of_int(static_cast<std::int64_t>(op->value))};
    *nothing = false;
    if (op->kind != Kind::write) {
      std::string image;
      auto found = x.read(table_, key, &image, op->kind == Kind::swap ? client::Lock::exclusive : client::Lock::none);
      if (!found) return found.failure();
      op->seen = *found ? static_cast<std::uint64_t>(table_.shape().get(image, 1).i) : 0;
      *nothing = !*found && op->kind == Kind::swap;  // no row, no lock: somebody else may insert it meanwhile
    }
    if (op->kind == Kind::write || (op->kind == Kind::swap && !*nothing)) {
      if (Failure f = x.write(table_, whole)) return f;
    }
    return x.commit(durable);
  }

  int report(cli::Tool& tool) {
    std::string wrong;
    for (auto& [row, ops] : history_) {
      wrong = client::not_linearizable(std::move(ops));
      if (wrong.empty()) continue;
      wrong = "row " + std::to_string(row) + " is not linearizable: " + wrong;
      break;
    }
    mgmt::Json j;
    j.object()
        .member("format_version", 1)
        .member("changed", true)
        .member("operations", done_)
        .member("unknown", unknown_);
    j.member("errors", errors_).member("longest_ms", longest_ / kMillisecond);
    j.member("rows", history_.size()).member("linearizable", wrong.empty()).end_object();
    if (summary_file.empty()) {
      cli::print_line(j.text());
    } else if (Failure f = os::write_file_atomically(summary_file, j.text() + "\n")) {
      return tool.fail(f);
    }
    if (errors_ != 0) tool.note(std::to_string(errors_) + " operations failed, the last one with: " + last_error_);
    return wrong.empty() ? cli::kExitDone : tool.refuse(wrong);
  }

  std::shared_ptr<client::Cluster> cluster_;
  client::Table table_;
  std::int64_t first_row_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> begun_{0}, values_{0};
  std::mutex mutex_;
  std::map<std::int64_t, std::vector<RegisterOp>> history_;
  Time longest_ = 0;  // an operation, repeats included
  std::uint64_t done_ = 0, unknown_ = 0, errors_ = 0;
  std::string last_error_;
};

}  // namespace

std::unique_ptr<cli::Command> make_registers() { return cli::make_command<Registers>(); }

}  // namespace ndb::traffic
