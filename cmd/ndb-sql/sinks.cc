#include "sinks.h"

#include <cstdio>
#include <vector>

#include "mgmt/text_reply.h"

namespace ndb::tool {

namespace {

using sql::Cell;

constexpr std::size_t kRowsMeasured = 1000;  // a table's widths come from its first rows

void put(const std::string& s) { std::fwrite(s.data(), 1, s.size(), stdout); }

std::string hex(Bytes b) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (char c : b) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// Columns on a terminal: code points, not bytes.
std::size_t width(const std::string& s) {
  std::size_t n = 0;
  for (char c : s) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return n;
}

class TablePrinter : public Printer {
 public:
  void columns(const std::vector<std::string>& names) override {
    names_ = names;
    rows_.clear();
    shown_ = false;
  }
  void row(const std::vector<Cell>& cells) override {
    std::vector<std::string> r;
    std::vector<bool> right;
    for (const Cell& c : cells) {
      std::string text = c.kind == Cell::Kind::null   ? "NULL"
                         : c.kind == Cell::Kind::blob ? "x'" + hex(c.bytes) + "'"
                                                      : std::string(c.bytes);
      for (char& ch : text) {
        if (static_cast<unsigned char>(ch) < ' ') ch = ' ';
      }
      r.push_back(std::move(text));
      right.push_back(c.kind == Cell::Kind::integer || c.kind == Cell::Kind::real);
    }
    rows_.push_back(std::move(r));
    right_.push_back(std::move(right));
    if (rows_.size() == kRowsMeasured) show();
  }
  void done() override {
    if (!names_.empty()) show();
    names_.clear();
  }
  void statement_done(std::int64_t) override { std::fflush(stdout); }
  void statement_failed() override {
    names_.clear();
    rows_.clear();
    right_.clear();
  }

 private:
  void show() {
    if (!shown_) {
      widths_.clear();
      for (const auto& n : names_) widths_.push_back(width(n));
    }
    for (const auto& r : rows_) {
      for (std::size_t i = 0; i < r.size(); i++) widths_[i] = std::max(widths_[i], width(r[i]));
    }
    if (!shown_) {
      line(names_, std::vector<bool>(names_.size()));
      std::string rule;
      for (std::size_t i = 0; i < widths_.size(); i++) rule += (i ? "  " : "") + std::string(widths_[i], '-');
      put(rule + "\n");
    }
    shown_ = true;
    for (std::size_t i = 0; i < rows_.size(); i++) line(rows_[i], right_[i]);
    rows_.clear();
    right_.clear();
  }
  void line(const std::vector<std::string>& cells, const std::vector<bool>& right) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); i++) {
      const std::string blanks(widths_[i] - std::min(widths_[i], width(cells[i])), ' ');
      if (i) out += "  ";
      out += right[i] ? blanks + cells[i] : i + 1 < cells.size() ? cells[i] + blanks : cells[i];
    }
    put(out + "\n");
  }
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::vector<bool>> right_;
  std::vector<std::size_t> widths_;
  bool shown_ = false;
};

class CsvPrinter : public Printer {
 public:
  void columns(const std::vector<std::string>& names) override {
    std::string out;
    for (const auto& n : names) add(&out, n, &n == &names.front());
    put(out + "\r\n");
  }
  void row(const std::vector<Cell>& cells) override {
    std::string out;
    for (const Cell& c : cells) {
      if (&c != &cells.front()) out += ',';
      if (c.kind == Cell::Kind::null) continue;  // an empty field; an empty text is ""
      if (c.kind == Cell::Kind::text && c.bytes.empty())
        out += "\"\"";
      else
        add(&out, c.kind == Cell::Kind::blob ? "0x" + hex(c.bytes) : std::string(c.bytes), true);
    }
    put(out + "\r\n");
  }
  void statement_done(std::int64_t) override { std::fflush(stdout); }

 private:
  static void add(std::string* out, const std::string& field, bool first) {
    if (!first) *out += ',';
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      *out += field;
      return;
    }
    *out += '"';
    for (char c : field) {
      if (c == '"') *out += '"';
      *out += c;
    }
    *out += '"';
  }
};

class JsonPrinter : public Printer {
 public:
  void columns(const std::vector<std::string>& names) override {
    names_ = names;
    std::string out = "{\"format_version\":1,\"changed\":false,\"rows\":[";
    put(out);
    open_ = true;
    first_ = true;
  }
  void row(const std::vector<Cell>& cells) override {
    std::string out = first_ ? "{" : ",{";
    first_ = false;
    for (std::size_t i = 0; i < cells.size(); i++) {
      const Cell& c = cells[i];
      if (i) out += ',';
      mgmt::quote_json(&out, names_[i]);
      out += ':';
      switch (c.kind) {
        case Cell::Kind::null:
          out += "null";
          break;
        case Cell::Kind::integer:
        case Cell::Kind::real:
          out += c.bytes == "Inf" || c.bytes == "-Inf" ? "null" : std::string(c.bytes);
          break;
        case Cell::Kind::text:
          mgmt::quote_json(&out, c.bytes);
          break;
        case Cell::Kind::blob:
          mgmt::quote_json(&out, "0x" + hex(c.bytes));
          break;
      }
    }
    put(out + "}");
  }
  void statement_done(std::int64_t changes) override {
    if (open_)
      put("]}\n");
    else
      put("{\"format_version\":1,\"changed\":" + std::string(changes > 0 ? "true" : "false") +
          ",\"changes\":" + std::to_string(changes) + "}\n");
    open_ = false;
    std::fflush(stdout);
  }
  // What began stays cut short, so that nobody takes it for the whole; the next statement has a line of its own.
  void statement_failed() override {
    if (open_) put("\n");
    open_ = false;
  }

 private:
  std::vector<std::string> names_;
  bool open_ = false, first_ = true;
};

}  // namespace

std::unique_ptr<Printer> make_printer(const std::string& format) {
  if (format == "table") return std::make_unique<TablePrinter>();
  if (format == "csv") return std::make_unique<CsvPrinter>();
  if (format == "json") return std::make_unique<JsonPrinter>();
  return nullptr;
}

}  // namespace ndb::tool
