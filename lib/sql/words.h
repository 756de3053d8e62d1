// A look at SQL text that needs no grammar: words outside of strings, quoted names and comments.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace ndb::sql {

// The first `most` words in upper case; "(" ";" and other signs are words of their own, a quoted name or a string is
// one word as it stands.
std::vector<std::string> words(std::string_view sql, std::size_t most = SIZE_MAX);
// The end of the statement that begins at `from`: behind its semicolon, or npos when it has none yet. A trigger's body
// counts as part of its statement.
std::size_t statement_end(const std::string& sql, std::size_t from = 0);
// The columns that an INSERT or REPLACE statement names behind its table, in lower case and without quotes; false: it
// names none, or it is another statement. DEFAULT VALUES names an empty list.
bool insert_columns(std::string_view sql, std::vector<std::string>* columns);
std::string unquoted(const std::string& word);
// Nothing but white space, comments and semicolons.
bool blank(std::string_view sql);

}  // namespace ndb::sql
