// Checks that stay on in production. A check states what the code has made true; input from outside never trips one,
// it gets an Error. A failed check prints where and what to stderr and aborts.
#pragma once

namespace ndb {
[[noreturn]] void check_failed(const char* file, int line, const char* condition) noexcept;
}  // namespace ndb

#define NDB_CHECK(condition)                               \
  do {                                                     \
    if (__builtin_expect(!(condition), 0)) {               \
      ::ndb::check_failed(__FILE__, __LINE__, #condition); \
    }                                                      \
  } while (false)
