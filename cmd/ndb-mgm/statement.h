// The statements of NDB's own management client, for -e: read into the words of this program's subcommands where
// one exists, else into a request.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/errors.h"

namespace ndb::cli {

struct Statement {
  enum class Kind {
    nothing,        // empty, a comment, CONNECT, PROMPT, QUIT
    words,          // of a subcommand
    show,           // the layout of NDB's own client
    status,         // words: nodes, or all
    memory,         // words: nodes, or all
    backup_status,  // words: nodes, or all
    backup,         // words: the number, when one is given
    tls_info,
    refused,       // words: a sentence that says what to do instead
    create_group,  // nodes in words
    drop_group,    // number in words
    log_info,      // CLUSTERLOG INFO
    log_filter,    // words: 1, 0 or -1, then severities (none: the whole log)
    log_level,     // words: command of the protocol, nodes (0: all) with blanks, then category=level ..
    dump,          // words: the codes with blanks, then nodes, or all
    request,       // words: a command of the protocol, then key=value ..
    help,
  } kind = Kind::nothing;
  std::vector<std::string> words;
};

// Fails with a sentence that quotes the word that is not understood. Key words in any case; `;` at the end and `#`
// comments are dropped.
Result<Statement> read_statement(std::string_view text);

}  // namespace ndb::cli
