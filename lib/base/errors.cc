#include "base/errors.h"

#include <algorithm>
#include <array>

namespace ndb {
namespace {
constexpr ErrorInfo kErrors[] = {
#define NDB_ERROR(name, number, exit_status, temporary, sentence) \
  {Error::name, #name, exit_status, temporary, sentence},
#include "base/errors.def"
#undef NDB_ERROR
};
}  // namespace

const ErrorInfo& error_info(Error e) noexcept {
  const ErrorInfo* internal = kErrors;
  for (const ErrorInfo& i : kErrors) {
    if (i.error == e) return i;
    if (i.error == Error::internal) internal = &i;
  }
  return *internal;
}
}  // namespace ndb
