// The commands of the management protocol that this server knows, with their arguments: those of NDB, and our own.
#pragma once
#include <span>

#include "mgmt/text_request.h"

namespace ndb::mgmt {

std::span<const CommandSpec> text_commands() noexcept;

}  // namespace ndb::mgmt
