// Probes mark rare paths: NDB_PROBE("stream.peer_cut_back"). The simulator counts how often each was reached and names
// those that no run has reached: a path that no test takes. Compiled in everywhere (NDB_NO_PROBES leaves them out).
// Costs one increment, so not for paths that are taken often; workers in several threads may hit the same one.
#pragma once
#include <cstdint>

namespace ndb {

class Probe {
 public:
  Probe(const char* name, const char* file, int line) noexcept : name_(name), file_(file), line_(line), next_(head_) {
    head_ = this;
  }
  void hit() noexcept { __atomic_fetch_add(&hits_, 1, __ATOMIC_RELAXED); }
  const char* name() const noexcept { return name_; }
  const char* file() const noexcept { return file_; }
  int line() const noexcept { return line_; }
  std::uint64_t hits() const noexcept { return hits_; }
  const Probe* next() const noexcept { return next_; }
  static const Probe* first() noexcept { return head_; }

 private:
  const char* name_;
  const char* file_;
  int line_;
  std::uint64_t hits_ = 0;
  Probe* next_;
  static inline Probe* head_ = nullptr;
};

// One probe a place, registered before main() so that those never reached are known too.
template <class Place>
struct ProbeAt {
  static inline Probe probe{Place::name(), Place::file(), Place::line()};
};

}  // namespace ndb

#ifndef NDB_NO_PROBES
#define NDB_PROBE(text)                                       \
  do {                                                        \
    struct Place {                                            \
      static const char* name() noexcept { return text; }     \
      static const char* file() noexcept { return __FILE__; } \
      static int line() noexcept { return __LINE__; }         \
    };                                                        \
    ::ndb::ProbeAt<Place>::probe.hit();                       \
  } while (false)
#else
#define NDB_PROBE(text) \
  do {                  \
  } while (false)
#endif
