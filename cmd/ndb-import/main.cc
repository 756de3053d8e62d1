// ndb-import: rows from CSV files into a table.
#include <CLI/CLI.hpp>

#include <cerrno>
#include <iostream>
#include <sys/stat.h>

#include "cli/connect.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/tool.h"
#include "cli/version.h"
#include "importer.h"
#include "os/files.h"
#include "os/standard_streams.h"

namespace {

using namespace ndb;

// One character, or \t.
bool character(const std::string& text, bool may_be_none, char* c) {
  if (text == "\\t")
    *c = '\t';
  else if (text.size() == 1)
    *c = text[0];
  else if (text.empty() && may_be_none)
    *c = 0;
  else
    return false;
  return *c != '\n' && *c != '\r';
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> all;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) {
    while (!word.empty() && word.front() == ' ') word.erase(0, 1);
    while (!word.empty() && word.back() == ' ') word.pop_back();
    all.push_back(word);
  }
  return all;
}

int report(cli::Tool& tool, const tool::ImportCounts& n, double seconds, bool dry_run, const Failure& failure) {
  const std::uint64_t rate = static_cast<std::uint64_t>(static_cast<double>(n.imported) / std::max(seconds, 1e-6));
  if (tool.json()) {
    std::printf(
        "{\"format_version\":1,\"changed\":%s,\"read\":%llu,\"imported\":%llu,\"skipped\":%llu,\"rejected\":%llu,"
        "\"seconds\":%.3f,\"rows_per_second\":%llu}\n",
        n.imported > 0 && !dry_run ? "true" : "false", static_cast<unsigned long long>(n.read),
        static_cast<unsigned long long>(n.imported), static_cast<unsigned long long>(n.skipped),
        static_cast<unsigned long long>(n.rejected), seconds, static_cast<unsigned long long>(rate));
  } else if (!failure) {
    std::string line = cli::show_count(n.imported) + (dry_run ? " rows could be imported" : " rows imported");
    if (n.skipped > 0) line += ", " + cli::show_count(n.skipped) + " exist already";
    if (n.rejected > 0) line += ", " + cli::show_count(n.rejected) + " rejected";
    cli::print_line(line + " in " + cli::show_seconds(seconds) + " (" + cli::show_count(rate) + " rows/s)");
  }
  if (failure) {
    if (!dry_run && n.imported > 0) {
      tool.note(cli::show_count(n.imported) +
                " rows were imported before; repeating with --ignore-existing goes on from there");
    }
    if (failure.error != Error::cancelled) return tool.fail(failure);
    return tool.refuse(failure.sentence(), n.unknown ? cli::kExitUnknown : cli::kExitRefused);
  }
  return n.unknown ? cli::kExitUnknown : 0;
}

Failure import_files(tool::Importer& importer, const std::vector<std::string>& files, std::uint64_t bytes_total) {
  Failure failure;
  for (const std::string& f : files) {
    std::FILE* in = f == "-" ? stdin : std::fopen(f.c_str(), "rb");
    if (in == nullptr) {
      failure = os::os_failure("read", f, errno);
    } else {
      failure = importer.import_file(in, f == "-" ? "standard input" : f, bytes_total);
      if (in != stdin) std::fclose(in);
    }
    if (failure) break;
  }
  if (!failure) return importer.finish();
  importer.settle();
  return failure;
}

int run(int argc, char** argv) {
  cli::Tool tool("ndb-import");
  CLI::App app{"rows from CSV files into a table", "ndb-import"};
  tool::ImportOptions o;
  std::vector<std::string> files;
  std::string table, delimiter = ",", quote = "\"", comment, columns;
  bool quiet = false, version = false;
  app.set_help_flag("-h,--help", "print this help and leave");
  app.get_formatter()->column_width(36);
  app.add_option("-c,--connectstring,--ndb-connectstring", tool.connectstring,
                 "management servers: host[:port][,host[:port]...]")
      ->type_name("STRING");
  app.add_option("-t,--table", table, "the table")->type_name("NAME");
  app.add_option("--columns", columns, "columns of the fields, in order; else all of the table")->type_name("LIST");
  app.add_flag("--header", o.header, "the first record of each file names the columns");
  app.add_option("--delimiter", delimiter, "between fields; \\t = tab")->type_name("CHAR");
  app.add_option("--quote", quote, "around fields; empty = none")->type_name("CHAR");
  app.add_option("--comment", comment, "lines that begin with it are skipped (none)")->type_name("CHAR");
  app.add_option("--null", o.null_text, "unquoted text that means null (the empty field)")->type_name("TEXT");
  app.add_option("--skip", o.skip_lines, "records to skip at the start of each file")->type_name("N");
  app.add_flag("--replace", o.replace, "a row that exists already is replaced");
  app.add_flag("--ignore-existing", o.ignore_existing, "a row that exists already is left as it is");
  app.add_option("--rejects", o.rejects_path, "rejected rows: file, line, reason, row")->type_name("FILE");
  app.add_option("--max-rejects", o.max_rejects, "stop when more rows than this were rejected (0)")->type_name("N");
  app.add_option("--batch", o.batch_rows, "rows in a transaction (32)")->type_name("N")->check(CLI::Range(1, 1000));
  app.add_option("--inflight", o.inflight, "transactions on their way at a time (64)")
      ->type_name("N")
      ->check(CLI::Range(1, static_cast<int>(limits::kClientWritesMax)));
  app.add_flag("--durable", o.durable, "rows count when they are on disk");
  app.add_flag("--dry-run", o.dry_run, "read and check everything, change nothing");
  app.add_option("--format", tool.format_word, "how the result is printed: table or json")
      ->type_name("WORD")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_flag("--quiet", quiet, "no progress");
  app.add_flag("--version", version, "print the version and leave");
  app.add_option("FILE", files, "files to read; without one, or -: standard input");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    std::cout << app.help();
    return 0;
  } catch (const CLI::ParseError& e) {
    return tool.usage(cli::usage_sentence(e.what()) + "; see 'ndb-import --help'");
  }
  if (version) {
    std::printf("ndb-import %s\n", std::string(cli::kToolVersion).c_str());
    return 0;
  }
  if (table.empty()) return tool.usage("--table is missing; see 'ndb-import --help'");
  if (!character(delimiter, false, &o.csv.delimiter)) return tool.usage("--delimiter takes one character");
  if (!character(quote, true, &o.csv.quote)) return tool.usage("--quote takes one character, or nothing");
  if (!character(comment, true, &o.csv.comment)) return tool.usage("--comment takes one character, or nothing");
  if (o.replace && o.ignore_existing) return tool.usage("--replace and --ignore-existing exclude each other");
  o.columns = split(columns);
  if (files.empty()) files.push_back("-");
  std::uint64_t bytes_total = 0;
  for (const std::string& f : files) {
    struct stat s {};
    if (f != "-" && ::stat(f.c_str(), &s) != 0) return tool.fail(os::os_failure("read", f, errno));
    if (f != "-") bytes_total += static_cast<std::uint64_t>(s.st_size);
  }
  auto servers = cli::find_connectstring(tool.connectstring);
  if (!servers) return tool.fail(servers.failure());
  auto options = cli::client_options(*servers);
  options.slots = static_cast<std::uint32_t>(o.inflight);
  const bool dry_run = o.dry_run;
  tool::Importer importer(std::move(options), std::move(o));
  if (Failure f = importer.open_table(table)) return tool.fail(f);
  tool.on_interrupt("the rows that were imported stay; repeating with --ignore-existing goes on from there");
  cli::Progress progress(table, "rows", quiet);
  importer.progress = [&](const tool::ImportCounts& n, std::uint64_t) {
    // The whole is guessed from the bytes that were read so far.
    const double share = bytes_total > 0 ? static_cast<double>(n.bytes) / static_cast<double>(bytes_total) : 0;
    const std::uint64_t whole = share > 0 ? static_cast<std::uint64_t>(static_cast<double>(n.read) / share) : 0;
    progress.update(n.imported + n.skipped + n.rejected, whole, "importing");
  };
  const Time start = os::Loop::now();
  const Failure failure = import_files(importer, files, bytes_total);
  progress.finish();
  return report(tool, importer.counts(), static_cast<double>(os::Loop::now() - start) / 1e9, dry_run, failure);
}

}  // namespace

int main(int argc, char** argv) {
  os::hold_standard_streams();
  return cli::end_output("ndb-import", run(argc, argv));
}
