// What tools print on stdout: tables for people, tab-separated values for shells, JSON for programs.
//
//   table  columns padded with blanks, names of columns in capitals, first letter of nothing changed
//   tsv    one line of names in small letters, then one line a row; tabs and line ends inside a value become blanks
//   json   one object on one line, always with "format_version" and "changed"
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ndb::cli {

enum class Format { table, json, tsv };
std::optional<Format> find_format(std::string_view word) noexcept;

class Table {
 public:
  explicit Table(std::vector<std::string> names) : names_(std::move(names)) {}
  Table& row(std::vector<std::string> values);  // as many as there are names
  bool empty() const { return rows_.empty(); }
  std::string text(Format format) const;  // table or tsv; with a line end
  void print(Format format) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
};

void print(std::string_view text);  // on stdout, as it is
void print_line(std::string_view text);
// The object with "changed" as its second member, when it does not say so itself.
std::string with_changed(std::string_view json_object, bool changed);

std::string show_bytes(std::uint64_t bytes);  // "1.5 MiB"
std::string show_count(std::uint64_t n);      // "1,024,000"
std::string show_when(std::int64_t seconds);  // seconds since 1970 -> "2026-11-20 19:49:37", UTC
std::string show_seconds(double s);           // "1.4 s", "3 min 20 s"
std::string join_ids(const std::vector<std::uint16_t>& ids, std::string_view separator = ",");

}  // namespace ndb::cli
