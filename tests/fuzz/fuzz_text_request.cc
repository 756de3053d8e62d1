// The reader of management requests: whatever arrives, in whatever pieces, it neither crashes nor keeps more than its
// bound, and how the bytes are cut does not change what comes out.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "mgmt/text_commands.h"
#include "mgmt/text_request.h"
#include "mgmt/text_table.h"

namespace {

using namespace ndb::mgmt;

std::vector<std::string> read_all(std::string_view input, std::size_t piece) {
  RequestReader reader(text_commands());
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    reader.feed(input.substr(at, piece));
    Request r;
    std::string complaint;
    for (;;) {
      const RequestReader::Got got = reader.next(&r, &complaint);
      if (got == RequestReader::Got::nothing) break;
      if (got == RequestReader::Got::broken) {
        seen.push_back("broken");
        return seen;
      }
      seen.push_back(got == RequestReader::Got::complaint ? complaint : std::string(r.command->name) + "|" + r.bulk);
      if (got == RequestReader::Got::request && r.command->name == "ndb create table") (void)parse_table(r.bulk);
    }
    if (reader.unread() > (std::size_t{2} << 20)) std::abort();
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (read_all(input, size == 0 ? 1 : size) != read_all(input, 7)) std::abort();
  return 0;
}
