#include "mgmt/parameters.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace ndb::mgmt {
namespace {

enum Flag : unsigned {
  kUnset = 1,
  kMandatory = 2,
  kDeprecated = 4,
  kInternal = 8,
  kHidden = 16,
  kUsed = 32,
};

constexpr Parameter kTable[] = {
#define NDB_PARAMETER(section, name, type, default_value, least, most, words, restart, flags, key, meaning) \
  {Kind::section, #name, ValueType::type, default_value, least, most, words, Restart::restart, flags, key, meaning},
#include "mgmt/parameters.def"
#undef NDB_PARAMETER
};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

int digit_value(char c) noexcept {
  if (digit(c)) return c - '0';
  const char l = lower(c);
  if (l >= 'a' && l <= 'f') return l - 'a' + 10;
  return 99;
}

enum class Number : std::uint8_t { good, bad, too_large };

// C bases (0x, leading 0), then at most one of the suffixes k K M G.
Number parse_number(std::string_view text, std::uint64_t* out) {
  int base = 10;
  std::size_t i = 0;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    i = 2;
  } else if (text.size() > 1 && text[0] == '0' && digit(text[1])) {
    base = 8;
    i = 1;
  }
  const std::size_t first = i;
  std::uint64_t v = 0;
  bool overflow = false;
  for (; i < text.size() && digit_value(text[i]) < base; i++) {
    const auto d = static_cast<std::uint64_t>(digit_value(text[i]));
    overflow =
        overflow || __builtin_mul_overflow(v, static_cast<std::uint64_t>(base), &v) || __builtin_add_overflow(v, d, &v);
  }
  if (i == first) return Number::bad;
  if (i < text.size()) {
    unsigned shift = 0;
    switch (text[i++]) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'M':
        shift = 20;
        break;
      case 'G':
        shift = 30;
        break;
      default:
        return Number::bad;
    }
    if (i != text.size()) return Number::bad;
    overflow = overflow || v > (~std::uint64_t{0} >> shift);
    v <<= shift;
  }
  *out = v;
  return overflow ? Number::too_large : Number::good;
}

std::optional<std::string> find_word(std::string_view words, std::string_view text) {
  while (!words.empty()) {
    const auto bar = words.find('|');
    const auto word = words.substr(0, bar);
    if (same_name(word, text)) return std::string(word);
    words.remove_prefix(bar == std::string_view::npos ? words.size() : bar + 1);
  }
  return std::nullopt;
}

// "1,3-5": numbers and ranges, each number at most `most`.
bool good_cpus(std::string_view text, std::uint64_t most) {
  while (true) {
    const auto comma = text.find(',');
    const auto part = text.substr(0, comma);
    const auto dash = part.find('-');
    std::uint64_t a = 0, b = 0;
    if (parse_number(part.substr(0, dash), &a) != Number::good || a > most) return false;
    b = a;
    if (dash != std::string_view::npos && parse_number(part.substr(dash + 1), &b) != Number::good) {
      return false;
    }
    if (b < a || b > most) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::string> parse_boolean(std::string_view t) {
  for (auto yes : {"Y", "y", "Yes", "YES", "yes", "True", "TRUE", "true", "1"}) {
    if (t == yes) return "1";
  }
  for (auto no : {"N", "n", "No", "NO", "no", "False", "FALSE", "false", "0"}) {
    if (t == no) return "0";
  }
  return std::nullopt;
}

// UTF-8 without control characters, and without '#', which no ini line can hold.
bool good_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f || c == '#') return false;
    const std::size_t bytes = code_point_bytes(text.substr(i));
    if (bytes == 0) return false;
    i += bytes;
  }
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, 65> row{};
  if (a.size() > 64 || b.size() > 64) return 99;
  for (std::size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); i++) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      const std::size_t up = row[j];
      const std::size_t change = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      row[j] = std::min({up + 1, row[j - 1] + 1, change});
      diagonal = up;
    }
  }
  return row[b.size()];
}

}  // namespace

bool Parameter::unset() const noexcept { return (flags & kUnset) != 0; }
bool Parameter::mandatory() const noexcept { return (flags & kMandatory) != 0; }
bool Parameter::deprecated() const noexcept { return (flags & kDeprecated) != 0; }
bool Parameter::internal() const noexcept { return (flags & kInternal) != 0; }
bool Parameter::hidden() const noexcept { return (flags & kHidden) != 0; }
bool Parameter::used() const noexcept { return (flags & kUsed) != 0; }

std::span<const Parameter> parameters() noexcept { return kTable; }

bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool one_for_all_nodes(std::string_view name) noexcept {
  return name == "HeartbeatIntervalDbDb" || name == "TimeBetweenEpochs" || name == "TimeBetweenGlobalCheckpoints" ||
         name.starts_with("LogLevel");
}

bool can_be_live(std::string_view name) noexcept {
  return name == "DataMemory" || name == "TransactionDeadlockDetectionTimeout" ||
         name == "TransactionInactiveTimeout" || one_for_all_nodes(name);
}

const Parameter* find_parameter(Kind kind, std::string_view name) noexcept {
  if (is_node(kind) && same_name(name, "Id")) name = "NodeId";
  for (const Parameter& p : kTable) {
    if (p.kind == kind && same_name(p.name, name)) return &p;
  }
  return nullptr;
}

const Parameter* find_parameter_by_key(Kind kind, std::uint32_t key) noexcept {
  for (const Parameter& p : kTable) {
    if (p.kind == kind && p.key == key && key != 0) return &p;
  }
  return nullptr;
}

const Parameter* similar_parameter(Kind kind, std::string_view name) noexcept {
  const Parameter* best = nullptr;
  std::size_t least = std::min<std::size_t>(4, name.size() / 3 + 1);
  for (const Parameter& p : kTable) {
    if (p.kind != kind || p.internal() || p.hidden()) continue;
    const std::size_t d = edit_distance(p.name, name);
    if (d < least) {
      least = d;
      best = &p;
    }
  }
  return best;
}

std::string_view kind_name(Kind k) noexcept {
  constexpr std::string_view names[kKinds] = {"system", "ndbd", "ndb_mgmd", "mysqld", "tcp", "shm"};
  return names[static_cast<std::size_t>(k)];
}

std::string_view kind_type_name(Kind k) noexcept {
  constexpr std::string_view names[kKinds] = {"SYSTEM", "DB", "MGM", "API", "TCP", "SHM"};
  return names[static_cast<std::size_t>(k)];
}

std::optional<Kind> find_kind(std::string_view name) noexcept {
  for (Kind k : {Kind::system, Kind::ndbd, Kind::ndb_mgmd, Kind::api, Kind::tcp, Kind::shm}) {
    if (same_name(name, kind_name(k)) || same_name(name, kind_type_name(k))) return k;
  }
  return std::nullopt;
}

std::string_view restart_name(Restart r) noexcept {
  constexpr std::string_view names[] = {"online", "N", "IN", "S", "IS"};
  return names[static_cast<std::size_t>(r)];
}

std::string_view type_name(ValueType t) noexcept {
  constexpr std::string_view names[] = {"int", "size", "bool", "string", "enum", "bitmask"};
  return names[static_cast<std::size_t>(t)];
}

bool is_node(Kind k) noexcept { return k == Kind::ndbd || k == Kind::ndb_mgmd || k == Kind::api; }
bool is_link(Kind k) noexcept { return k == Kind::tcp || k == Kind::shm; }

std::uint64_t to_number(std::string_view canonical) noexcept {
  std::uint64_t v = 0;
  return parse_number(canonical, &v) == Number::good ? v : 0;
}

std::string show_range(const Parameter& p) {
  return show_value(p, std::to_string(p.least)) + " to " + show_value(p, std::to_string(p.most));
}

std::optional<std::string> parse_value(const Parameter& p, std::string_view text, std::string* error) {
  if (!good_text(text)) {
    *error = "holds a character that a configuration cannot hold";
    return std::nullopt;
  }
  std::optional<std::string> v;
  switch (p.type) {
    case ValueType::integer:
    case ValueType::size: {
      std::uint64_t n = 0;
      const Number state = parse_number(text, &n);
      if (state == Number::bad) {
        *error = "is no number (digits, then at most one of k, M, G)";
      } else if (state == Number::too_large || n < p.least || n > p.most) {
        *error = "is out of the range " + show_range(p);
      } else {
        v = std::to_string(n);
      }
      return v;
    }
    case ValueType::boolean:
      v = parse_boolean(text);
      if (!v) *error = "is neither true nor false";
      return v;
    case ValueType::cpus:
      if (!good_cpus(text, p.most)) {
        *error = "is no list of processors such as 0,2-5";
        return std::nullopt;
      }
      return std::string(text);
    case ValueType::text:
    case ValueType::word:
      break;
  }
  if (p.words.empty()) return std::string(text);
  v = find_word(p.words, text);
  if (!v) {
    std::string words(p.words);
    for (std::size_t i = 0; (i = words.find('|', i)) != std::string::npos; i += 2) words.replace(i, 1, ", ");
    *error = "is none of " + words;
  }
  return v;
}

std::string show_value(const Parameter& p, std::string_view canonical) {
  if (p.type == ValueType::boolean) return canonical == "1" ? "true" : "false";
  if (p.type == ValueType::size) {
    const std::uint64_t n = to_number(canonical);
    if (n != 0 && n % (std::uint64_t{1} << 30) == 0) return std::to_string(n >> 30) + "G";
    if (n != 0 && n % (std::uint64_t{1} << 20) == 0) return std::to_string(n >> 20) + "M";
    if (n != 0 && n % (std::uint64_t{1} << 10) == 0) return std::to_string(n >> 10) + "K";
  }
  return std::string(canonical);
}

}  // namespace ndb::mgmt
