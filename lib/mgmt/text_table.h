// Table definitions as JSON: what `ndb create table` reads and `ndb describe table` shows (docs/PROTOCOL.md). Every
// definition that was shown is accepted again. The only file that knows the JSON library is text_table.cc.
#pragma once
#include <string_view>

#include "base/errors.h"
#include "meta/command.h"
#include "mgmt/text_reply.h"

namespace ndb::mgmt {

// Fails with bad_definition and words that name the member; whether the definition makes sense (keys, lengths) is
// checked by the catalog's rules.
Result<meta::CreateTable> parse_table(std::string_view json);

// Members columns, primary_key, distribution_key and, when there is one, unique of an open object.
void write_definition(Json& json, const meta::Table& table);

}  // namespace ndb::mgmt
