// Commands for the metadata log that have a fair chance to be accepted by this catalog, and some that have none.
#pragma once
#include "base/prng.h"
#include "meta/command.h"

namespace ndb::simtest {

meta::Command random_command(Prng& prng, const meta::Catalog& c);

}  // namespace ndb::simtest
