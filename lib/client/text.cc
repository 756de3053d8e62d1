#include "client/text.h"

#include <charconv>
#include <cmath>

#include "store/decimal.h"

namespace ndb::client {

namespace {

using meta::Type;
using store::Value;

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

// Days since 1970-01-01 of a Gregorian date and back (Howard Hinnant, chrono-compatible low-level date algorithms).
std::int64_t days_of(std::int64_t y, unsigned m, unsigned d) {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}

struct Date {
  std::int64_t year;
  unsigned month, day;
};
Date date_of(std::int64_t z) {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1};
}

// Takes between `least` and `most` digits off the front.
bool take_digits(Bytes* t, std::size_t least, std::size_t most, unsigned* v) {
  std::size_t n = 0;
  *v = 0;
  while (n < t->size() && n < most && (*t)[n] >= '0' && (*t)[n] <= '9') {
    *v = *v * 10 + static_cast<unsigned>((*t)[n] - '0');
    n++;
  }
  t->remove_prefix(n);
  return n >= least;
}
bool take_char(Bytes* t, char c) {
  if (t->empty() || t->front() != c) return false;
  t->remove_prefix(1);
  return true;
}

bool take_date(Bytes* t, std::int64_t* days) {
  unsigned y, m, d;
  if (!take_digits(t, 4, 4, &y) || !take_char(t, '-') || !take_digits(t, 1, 2, &m) || !take_char(t, '-') ||
      !take_digits(t, 1, 2, &d)) {
    return false;
  }
  if (m < 1 || m > 12 || d < 1) return false;
  *days = days_of(y, m, d);
  const Date back = date_of(*days);
  return back.month == m && back.day == d;  // no 30th of February
}

bool take_clock(Bytes* t, unsigned hours_max, unsigned digits, std::int64_t* us) {
  unsigned h, m, s = 0;
  if (!take_digits(t, 1, 3, &h) || !take_char(t, ':') || !take_digits(t, 1, 2, &m)) return false;
  if (take_char(t, ':') && !take_digits(t, 1, 2, &s)) return false;
  if (h > hours_max || m > 59 || s > 59) return false;
  *us = (static_cast<std::int64_t>(h) * 3600 + m * 60 + s) * kSecondUs;
  if (!take_char(t, '.')) return true;
  std::int64_t unit = kSecondUs / 10;
  std::int64_t step = kSecondUs;  // of the column's last digit
  for (unsigned i = 0; i < digits; i++) step /= 10;
  std::int64_t fraction = 0, beyond = 0;
  std::size_t n = 0;
  for (; !t->empty() && t->front() >= '0' && t->front() <= '9'; t->remove_prefix(1), n++) {
    if (n < 6)
      fraction += (t->front() - '0') * unit;
    else if (n == 6)
      beyond = t->front() >= '5' ? 1 : 0;
    unit /= 10;
  }
  if (n == 0) return false;
  if (step > 1)
    fraction = (fraction + step / 2) / step * step;
  else
    fraction += beyond;
  *us += fraction;
  return true;
}

template <class T>
Error number_from_text(Bytes text, T* v) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  auto r = std::from_chars(text.data(), text.data() + text.size(), *v);
  return r.ec == std::errc() && r.ptr == text.data() + text.size() && !text.empty() ? Error::ok
                                                                                    : Error::value_out_of_range;
}

Error time_from_text(const meta::Column& c, Bytes t, std::int64_t* v) {
  const unsigned digits = std::min<unsigned>(c.scale, 6);
  std::int64_t us = 0;
  if (c.type == Type::time) {
    const bool negative = take_char(&t, '-');
    if (!take_clock(&t, 838, digits, &us) || !t.empty()) return Error::value_out_of_range;
    *v = negative ? -us : us;
    return Error::ok;
  }
  std::int64_t days;
  if (!take_date(&t, &days)) return Error::value_out_of_range;
  if (c.type == Type::date) {
    *v = days;
    return t.empty() ? Error::ok : Error::value_out_of_range;
  }
  if (!t.empty() && (t.front() == ' ' || t.front() == 'T')) {
    t.remove_prefix(1);
    if (!take_clock(&t, 23, digits, &us)) return Error::value_out_of_range;
  }
  if (c.type == Type::timestamp) take_char(&t, 'Z');
  *v = days * kDayUs + us;
  return t.empty() ? Error::ok : Error::value_out_of_range;
}

bool is_unsigned(Type t) {
  return t == Type::utinyint || t == Type::usmallint || t == Type::umediumint || t == Type::uinteger ||
         t == Type::ubigint || t == Type::year || t == Type::bit;
}

void put_padded(std::uint64_t v, std::size_t width, std::string* out) {
  char digits[24];
  auto r = std::to_chars(digits, digits + sizeof digits, v);
  const auto n = static_cast<std::size_t>(r.ptr - digits);
  if (n < width) out->append(width - n, '0');
  out->append(digits, n);
}

void put_date(std::int64_t days, std::string* out) {
  const Date d = date_of(days);
  put_padded(static_cast<std::uint64_t>(d.year), 4, out);
  *out += '-';
  put_padded(d.month, 2, out);
  *out += '-';
  put_padded(d.day, 2, out);
}

void put_clock(std::int64_t us, unsigned digits, std::string* out) {
  const std::int64_t s = us / kSecondUs;
  put_padded(static_cast<std::uint64_t>(s / 3600), 2, out);
  *out += ':';
  put_padded(static_cast<std::uint64_t>(s / 60 % 60), 2, out);
  *out += ':';
  put_padded(static_cast<std::uint64_t>(s % 60), 2, out);
  if (digits == 0) return;
  auto fraction = static_cast<std::uint64_t>(us % kSecondUs);
  for (unsigned i = digits; i < 6; i++) fraction /= 10;
  *out += '.';
  put_padded(fraction, digits, out);
}

}  // namespace

Error value_from_text(const meta::Column& c, Bytes text, Value* v, std::string* scratch) {
  switch (c.type) {
    case Type::float32:
    case Type::float64: {
      double d = 0;
      Error e = number_from_text(text, &d);
      *v = Value::of_double(d);
      return e;
    }
    case Type::decimal: {
      Error e = store::decimal_from_text(text, c.precision, c.scale, scratch);
      *v = Value::of_bytes(*scratch);
      return e;
    }
    case Type::date:
    case Type::time:
    case Type::datetime:
    case Type::timestamp: {
      std::int64_t i = 0;
      Error e = time_from_text(c, text, &i);
      *v = Value::of_int(i);
      return e;
    }
    case Type::character:
    case Type::varchar:
    case Type::binary:
    case Type::varbinary:
    case Type::text:
    case Type::blob:
      *v = Value::of_bytes(text);
      return Error::ok;
    default:
      break;
  }
  if (is_unsigned(c.type)) {
    std::uint64_t u = 0;
    Error e = number_from_text(text, &u);
    *v = Value::of_uint(u);
    return e;
  }
  std::int64_t i = 0;
  Error e = number_from_text(text, &i);
  *v = Value::of_int(i);
  return e;
}

void value_to_text(const meta::Column& c, const Value& v, std::string* out) {
  char digits[400];
  std::to_chars_result r{};
  const unsigned fraction = std::min<unsigned>(c.scale, 6);
  switch (c.type) {
    case Type::float32:
      r = std::to_chars(digits, digits + sizeof digits, static_cast<float>(v.d));
      break;
    case Type::float64:
      r = std::to_chars(digits, digits + sizeof digits, v.d);
      break;
    case Type::decimal:
      *out += store::decimal_to_text(v.bytes, c.scale);
      return;
    case Type::date:
      put_date(v.i, out);
      return;
    case Type::time:
      if (v.i < 0) *out += '-';
      put_clock(v.i < 0 ? -v.i : v.i, fraction, out);
      return;
    case Type::datetime:
    case Type::timestamp: {
      const std::int64_t days = v.i >= 0 ? v.i / kDayUs : -((-v.i + kDayUs - 1) / kDayUs);
      put_date(days, out);
      *out += ' ';
      put_clock(v.i - days * kDayUs, fraction, out);
      return;
    }
    default:
      if (v.kind == Value::Kind::bytes) {
        *out += v.bytes;
        return;
      }
      r = v.kind == Value::Kind::uint64 ? std::to_chars(digits, digits + sizeof digits, v.u)
                                        : std::to_chars(digits, digits + sizeof digits, v.i);
  }
  out->append(digits, static_cast<std::size_t>(r.ptr - digits));
}

}  // namespace ndb::client
