// Comma separated values, whole and in pieces.
#include <catch2/catch.hpp>

#include "base/prng.h"
#include "client/csv.h"

using namespace ndb;
using client::CsvReader;

namespace {

// All records, fields with | between them, quoted ones in <>; "!" and the reason for damaged ones. Given in pieces.
std::vector<std::string> read(std::string text, client::CsvOptions o = {}, std::size_t piece = SIZE_MAX) {
  CsvReader reader(o);
  std::vector<std::string> all;
  std::string buffer;
  std::size_t given = 0;
  while (true) {
    const std::size_t n = std::min(piece, text.size() - given);
    buffer += text.substr(given, n);
    given += n;
    const bool last = given == text.size();
    client::CsvRecord r;
    std::size_t consumed = 0;
    while (true) {
      auto s = reader.next(buffer, last, &r, &consumed);
      if (s == CsvReader::State::record) {
        std::string line = std::to_string(r.line) + ":";
        for (const auto& f : r.fields) {
          if (&f != &r.fields.front()) line += "|";
          line += f.quoted ? "<" + std::string(f.text) + ">" : std::string(f.text);
        }
        all.push_back(line);
      } else if (s == CsvReader::State::damaged) {
        all.push_back(std::to_string(r.line) + ":! " + reader.problem());
      }
      buffer.erase(0, consumed);
      if (s == CsvReader::State::more) break;
    }
    if (last) return all;
  }
}
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("records and fields") {
  CHECK(read("a,b\nc,d\n") == Lines{"1:a|b", "2:c|d"});
  CHECK(read("a,b\r\nc,d") == Lines{"1:a|b", "2:c|d"});
  CHECK(read(",\n") == Lines{"1:|"});
  CHECK(read("\n\na\n") == Lines{"3:a"});
  CHECK(read("") == Lines{});
  CHECK(read("a;b", {.delimiter = ';'}) == Lines{"1:a|b"});
  CHECK(read("# no\na\n#b", {.comment = '#'}) == Lines{"2:a"});
}

TEST_CASE("quotes") {
  CHECK(read("\"a,b\",\"\"\n\"c\"\"d\",\"\"\"\"\n") == Lines{"1:<a,b>|<>", "2:<c\"d>|<\">"});
  CHECK(read("\"two\nlines\",x\r\ny,\"z\"\r\n") == Lines{"1:<two\nlines>|x", "3:y|<z>"});
  CHECK(read("a\"b,c\n") == Lines{"1:a\"b|c"});  // a quote inside a plain field is a character
  CHECK(read("\"a\"b\nc\n") == Lines{"1:! text follows a closing quote", "2:c"});
  CHECK(read("x\n\"a\nb\n") == Lines{"1:x", "2:! a quote is not closed"});
  CHECK(read("'a,b'", {.quote = '\''}) == Lines{"1:<a,b>"});
  CHECK(read("\"a\",b", {.quote = 0}) == Lines{"1:\"a\"|b"});
}

TEST_CASE("a byte order mark is passed over at the beginning, and only there") {
  for (std::size_t piece : {1, 2, 3, 4, 100}) {
    CHECK(read("\xef\xbb\xbf"
               "a,b\n\xef\xbb\xbf"
               "c,d\n",
               {}, piece) == std::vector<std::string>{"1:a|b",
                                                      "2:\xef\xbb\xbf"
                                                      "c|d"});
    CHECK(read("\xef\xbb", {}, piece) == std::vector<std::string>{"1:\xef\xbb"});
    CHECK(read("\xef\xbb\xbf\"a\"", {}, piece) == std::vector<std::string>{"1:<a>"});
    CHECK(read("\xef\xbb\xbf", {}, piece).empty());
  }
}

TEST_CASE("pieces of any size give the same records") {
  Prng prng(5);
  const char alphabet[] = "ab,\"\n\r#";
  for (int round = 0; round < 3000; round++) {
    std::string text;
    for (auto n = prng.below(40); n > 0; n--) text += alphabet[prng.below(sizeof alphabet - 1)];
    client::CsvOptions o;
    if (prng.chance(0.5)) o.comment = '#';
    const auto whole = read(text, o);
    INFO(text);
    for (const std::size_t piece : {1u, 2u, 3u, 7u}) REQUIRE(read(text, o, piece) == whole);
  }
}
