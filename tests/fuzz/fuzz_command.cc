// Bytes as a command, as a catalog and as a table: nothing crashes, what is accepted reads back the
// same, and an accepted command can be applied.
#include <cstdint>

#include "meta/command.h"

using namespace ndb;
using namespace ndb::meta;

namespace {

template <class T>
void read_back(Bytes bytes) {
  Reader r(bytes);
  T value;
  if (!decode(r, &value)) return;
  Writer w;
  encode(w, value);
  Reader again(w.view());
  T second;
  NDB_CHECK(decode(again, &second) && again.done());
  Writer w2;
  encode(w2, second);
  NDB_CHECK(w2.view() == w.view());
  if constexpr (std::is_same_v<T, Command>) {
    Catalog c;
    const Outcome o = apply(&c, 1, value);
    NDB_CHECK(c.version == 1);
    NDB_CHECK(o.error == Error::ok || !o.changed);
    Writer out;
    encode(out, c);
    Reader in(out.view());
    Catalog back;
    NDB_CHECK(decode(in, &back));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read_back<Command>(bytes);
      break;
    case 1:
      read_back<Catalog>(bytes);
      break;
    default:
      read_back<Table>(bytes);
      break;
  }
  return 0;
}
