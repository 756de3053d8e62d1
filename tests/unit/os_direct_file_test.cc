// Appends past the page cache: whatever the pieces, what is read is what was appended.
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/prng.h"
#include "os/direct_file.h"
#include "os/files.h"
#include "os_world.h"

using namespace ndb;
using namespace ndb::os;

TEST_CASE("direct appends: pieces of any length, at any place, are what is read again") {
  TemporaryDirectory directory;
  const std::string path = directory.path + "/file";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  REQUIRE(fd);
  std::string expected;
  Prng prng(5);
  auto piece = [&](std::size_t n) {
    std::string s(n, ' ');
    for (char& c : s) c = static_cast<char>(prng.below(256));
    return s;
  };
  DirectAppender::use(fd.get());
  for (int life = 0; life < 4; life++) {
    DirectAppender out;  // begins anew in the middle of a block
    for (const std::size_t n : {1ul, 4095ul, 1ul, 700ul, 4096ul, 3000000ul, 12345ul}) {
      const std::string s = piece(n + static_cast<std::size_t>(life));
      REQUIRE(out.append(fd.get(), expected.size(), s) == 0);
      expected += s;
      const auto found = read_file(path);
      REQUIRE(found);
      REQUIRE(found->size() % DirectAppender::kBlock == 0);
      REQUIRE(found->substr(0, expected.size()) == expected);
      REQUIRE(found->find_first_not_of('\0', expected.size()) == std::string::npos);
    }
  }
  SECTION("elsewhere, and back") {
    DirectAppender out;
    const std::string s = piece(100);
    REQUIRE(out.append(fd.get(), 4096, s) == 0);  // zeros follow up to the next block
    expected.replace(4096, 4096, s + std::string(3996, '\0'));
    REQUIRE(out.append(fd.get(), expected.size(), s) == 0);
    expected += s;
    REQUIRE(read_file(path)->substr(0, expected.size()) == expected);
  }
  SECTION("a failed write says so") {
    Fd closed(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    DirectAppender out;
    CHECK(out.append(closed.get(), 0, "x") == EBADF);
  }
}
