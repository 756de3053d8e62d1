// Any text, read as ini, as TOML and as whichever it looks like: no crash, and a configuration without errors keeps its
// promises: printed in either language and read again it is equal, a change to itself is none, and it has a binary
// form.
#include <cstdint>

#include "base/check.h"
#include "mgmt/config_binary.h"
#include "mgmt/config_diff.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ndb;
  using namespace ndb::mgmt;
  if (size > 64u << 10) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse_any(text);
  for (const ParseResult& r : {parse_ini(text), parse_toml(text)}) {
    if (!r.ok()) continue;
    const ParseResult ini = parse_ini(print_ini(r.config)), toml = parse_toml(print_toml(r.config));
    NDB_CHECK(ini.ok() && ini.config == r.config);
    NDB_CHECK(toml.ok() && toml.config == r.config);
    NDB_CHECK(diff(r.config, toml.config).empty());
    NDB_CHECK(check_change(r.config, ini.config).empty());
    if (r.config.nodes.size() < 20) NDB_CHECK(decode_config(encode_config_v2(r.config, 0)).ok());
  }
  return 0;
}
