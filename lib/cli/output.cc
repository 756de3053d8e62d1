#include "cli/output.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"
#include "os/files.h"

namespace ndb::cli {

std::optional<Format> find_format(std::string_view word) noexcept {
  if (word == "table") return Format::table;
  if (word == "json") return Format::json;
  if (word == "tsv") return Format::tsv;
  return std::nullopt;
}

Table& Table::row(std::vector<std::string> values) {
  NDB_CHECK(values.size() == names_.size());
  rows_.push_back(std::move(values));
  return *this;
}

namespace {

std::string tsv_line(const std::vector<std::string>& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += '\t';
    for (char c : values[i]) out += c == '\t' || c == '\n' || c == '\r' ? ' ' : c;
  }
  return out + '\n';
}

std::string padded_line(const std::vector<std::string>& values, const std::vector<std::size_t>& widths) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += values[i];
    if (i + 1 < values.size()) out.append(widths[i] - values[i].size() + 2, ' ');
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out + '\n';
}

}  // namespace

std::string Table::text(Format format) const {
  std::string out;
  if (format == Format::tsv) {
    out = tsv_line(names_);
    for (const auto& r : rows_) out += tsv_line(r);
    return out;
  }
  std::vector<std::string> names = names_;
  std::vector<std::size_t> widths;
  for (std::string& n : names) {
    for (char& c : n) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    widths.push_back(n.size());
  }
  for (const auto& r : rows_) {
    for (std::size_t i = 0; i < r.size(); ++i) widths[i] = std::max(widths[i], r[i].size());
  }
  out = padded_line(names, widths);
  for (const auto& r : rows_) out += padded_line(r, widths);
  return out;
}

void Table::print(Format format) const { cli::print(text(format)); }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void print_line(std::string_view text) {
  print(text);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::string with_changed(std::string_view json, bool changed) {
  std::string out(json);
  if (out.find("\"changed\":") != std::string::npos) return out;
  const std::string member = std::string("\"changed\":") + (changed ? "true" : "false");
  const std::size_t at = std::min(out.find(','), out.rfind('}'));  // behind the first member
  return out.insert(at, "," + member);
}

std::string show_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto v = static_cast<double>(bytes);
  std::size_t u = 0;
  for (; v >= 1024 && u + 1 < units.size(); ++u) v /= 1024;
  char out[48];
  std::snprintf(out, sizeof out, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
  return out;
}

std::string show_count(std::uint64_t n) {
  std::string s = std::to_string(n);
  for (std::size_t i = s.size(); i > 3; i -= 3) s.insert(i - 3, ",");
  return s;
}

std::string show_when(std::int64_t seconds) { return os::utc_text(seconds * 1'000'000'000).substr(0, 19); }

std::string show_seconds(double s) {
  char out[48];
  if (s < 60) {
    std::snprintf(out, sizeof out, "%.1f s", s);
  } else {
    const auto whole = static_cast<long long>(s);
    if (whole < 3600)
      std::snprintf(out, sizeof out, "%lld min %lld s", whole / 60, whole % 60);
    else
      std::snprintf(out, sizeof out, "%lld h %lld min", whole / 3600, whole % 3600 / 60);
  }
  return out;
}

std::string join_ids(const std::vector<std::uint16_t>& ids, std::string_view separator) {
  std::string out;
  for (std::uint16_t id : ids) {
    if (!out.empty()) out += separator;
    out += std::to_string(id);
  }
  return out;
}

}  // namespace ndb::cli
