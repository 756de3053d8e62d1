// The table of errors: a number, an exit status for tools, whether repeating may help, and a sentence. An error exists
// only if a caller can act on it. `Failure` adds the subject in words.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace ndb {

enum class Error : std::uint16_t {
#define NDB_ERROR(name, number, exit_status, temporary, sentence) name = number,
#include "base/errors.def"
#undef NDB_ERROR
};

struct ErrorInfo {
  Error error;
  std::string_view name;
  int exit_status;  // ndb(7)
  bool temporary;
  std::string_view sentence;
};

// Unknown numbers (a newer peer) give the entry of Error::internal.
const ErrorInfo& error_info(Error e) noexcept;
inline bool is_temporary(Error e) noexcept { return error_info(e).temporary; }

// An error with words of its own; `text` empty = the table's sentence.
struct Failure {
  Error error = Error::ok;
  std::string text;
  explicit operator bool() const noexcept { return error != Error::ok; }
  std::string sentence() const { return text.empty() ? std::string(error_info(error).sentence) : text; }
};

// A value or a failure. (g++ 12 in C++20 mode has no std::expected.)
template <class T>
class Result {
 public:
  Result(T v) : value_(std::move(v)) {}                                     // NOLINT: implicit on purpose
  Result(Failure f) : failure_(std::move(f)) {}                             // NOLINT
  Result(Error e, std::string text = {}) : failure_{e, std::move(text)} {}  // NOLINT
  bool ok() const noexcept { return failure_.error == Error::ok; }
  explicit operator bool() const noexcept { return ok(); }
  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  const Failure& failure() const noexcept { return failure_; }
  Error error() const noexcept { return failure_.error; }

 private:
  T value_{};
  Failure failure_;
};

}  // namespace ndb
