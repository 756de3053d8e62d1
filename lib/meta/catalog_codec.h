// Pieces of the catalog's encoding that commands contain too.
#pragma once
#include "meta/catalog.h"

namespace ndb::meta::codec {

void encode(Writer& w, const Generation& g);
void decode(Reader& r, Generation* g);  // malformed: the reader is bad()
RequestId decode_request_id(Reader& r);

}  // namespace ndb::meta::codec
