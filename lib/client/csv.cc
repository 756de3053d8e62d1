#include "client/csv.h"

#include <cstring>

namespace ndb::client {

namespace {
constexpr Bytes kByteOrderMark = "\xef\xbb\xbf";
}

CsvReader::State CsvReader::next(Bytes input, bool last, CsvRecord* r, std::size_t* consumed) {
  *consumed = 0;
  if (!begun_ && !input.empty()) {
    if (!last && kByteOrderMark.starts_with(input) && input != kByteOrderMark) return State::more;
    begun_ = true;
    if (input.starts_with(kByteOrderMark)) *consumed = kByteOrderMark.size();
  }
  while (true) {
    Bytes rest = input.substr(*consumed);
    if (rest.empty()) return State::more;
    const bool blank = rest[0] == '\n' || (rest.size() > 1 && rest[0] == '\r' && rest[1] == '\n');
    const bool comment = options_.comment != 0 && rest[0] == options_.comment;
    if (!blank && !comment) {
      std::size_t n = 0;
      State s = read_record(rest, last, r, &n);
      *consumed += n;
      return s;
    }
    const std::size_t end = rest.find('\n');
    if (end == Bytes::npos && !last) return State::more;
    line_++;
    *consumed += end == Bytes::npos ? rest.size() : end + 1;
  }
}

CsvReader::State CsvReader::damaged(Bytes input, bool last, std::size_t at, const char* why, CsvRecord* r,
                                    std::size_t* consumed) {
  problem_ = why;
  const std::size_t end = input.find('\n', at);
  if (end == Bytes::npos && !last) return State::more;
  const std::size_t stop = end == Bytes::npos ? input.size() : end;
  r->raw = input.substr(0, stop);
  r->fields.clear();
  r->line = line_ + 1;
  for (char c : r->raw) line_ += c == '\n' ? 1 : 0;
  line_++;
  *consumed = end == Bytes::npos ? input.size() : end + 1;
  return State::damaged;
}

CsvReader::State CsvReader::read_record(Bytes input, bool last, CsvRecord* r, std::size_t* consumed) {
  r->fields.clear();
  r->line = line_ + 1;
  unescaped_.clear();
  // Views into unescaped_ move when it grows: it is given room for all that it can hold, once.
  const char delimiter = options_.delimiter;
  const char quote = options_.quote;
  const std::size_t n = input.size();
  std::uint64_t lines = 0;
  std::size_t at = 0;
  while (true) {
    CsvField f;
    if (quote != 0 && at < n && input[at] == quote) {
      f.quoted = true;
      const std::size_t start = ++at;
      std::size_t doubled = 0;
      while (true) {
        const auto* q = static_cast<const char*>(std::memchr(input.data() + at, quote, n - at));
        if (q == nullptr) return last ? damaged(input, last, n, "a quote is not closed", r, consumed) : State::more;
        at = static_cast<std::size_t>(q - input.data());
        if (at + 1 == n && !last) return State::more;  // perhaps it is doubled
        if (at + 1 < n && input[at + 1] == quote) {
          doubled++;
          at += 2;
          continue;
        }
        break;
      }
      f.text = input.substr(start, at - start);
      for (char c : f.text) lines += c == '\n' ? 1 : 0;
      at++;
      if (doubled > 0) {
        if (unescaped_.capacity() - unescaped_.size() < f.text.size()) {
          // Fields before this one may lie in the old memory: keep them valid by moving their views along.
          const char* old = unescaped_.data();
          const std::size_t held = unescaped_.size();
          unescaped_.reserve((unescaped_.size() + f.text.size()) * 2);
          for (auto& g : r->fields) {
            if (g.text.data() >= old && g.text.data() < old + held) {
              g.text = Bytes(unescaped_.data() + (g.text.data() - old), g.text.size());
            }
          }
        }
        const std::size_t begin = unescaped_.size();
        for (std::size_t i = 0; i < f.text.size(); i++) {
          unescaped_ += f.text[i];
          if (f.text[i] == quote) i++;
        }
        f.text = Bytes(unescaped_.data() + begin, unescaped_.size() - begin);
      }
      if (at < n && input[at] != delimiter && input[at] != '\n' && input[at] != '\r') {
        return damaged(input, last, at, "text follows a closing quote", r, consumed);
      }
    } else {
      const std::size_t start = at;
      while (at < n && input[at] != delimiter && input[at] != '\n') at++;
      if (at == n && !last) return State::more;
      f.text = input.substr(start, at - start);
      if ((at == n || input[at] == '\n') && !f.text.empty() && f.text.back() == '\r') f.text.remove_suffix(1);
    }
    r->fields.push_back(f);
    if (at < n && input[at] == delimiter) {
      at++;
      continue;
    }
    std::size_t end = at;
    if (at < n && input[at] == '\r') {
      if (at + 1 == n && !last) return State::more;
      at++;
      if (at < n && input[at] != '\n') return damaged(input, last, at, "text follows a closing quote", r, consumed);
    }
    if (at == n && !last) return State::more;
    if (end > 0 && end == at && input[end - 1] == '\r') end--;
    r->raw = input.substr(0, end);
    *consumed = at < n ? at + 1 : n;
    line_ += lines + 1;
    return State::record;
  }
}

}  // namespace ndb::client
