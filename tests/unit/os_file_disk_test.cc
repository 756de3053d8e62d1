// A worker's disk in real files: what is flushed is read again, the ring, checkpoints, and files that do not fit.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <sys/resource.h>
#include <csignal>
#include <thread>
#include <unistd.h>

#include "os/file_disk.h"
#include "os/files.h"
#include "store/checkpoint.h"
#include "store/redo.h"

using namespace ndb;
using namespace ndb::os;
using store::RedoBlock;
using store::RedoEntry;
using store::RedoPlace;
using store::RedoReader;
using store::RedoWriter;

namespace {

struct Directory {
  std::string path;
  Directory() {
    char name[] = "/tmp/file_disk_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Directory() {
    if (auto names = list_directory(path)) {
      for (const std::string& n : *names) ::unlink((path + "/" + n).c_str());
    }
    ::rmdir(path.c_str());
  }
};

struct Disk {
  std::atomic<std::uint64_t> tag{0};
  std::atomic<int> status{0};
  FileDiskOptions options;
  std::unique_ptr<FileDisk> disk;
  std::unique_ptr<RedoWriter> writer;

  explicit Disk(const std::string& path) {
    options.directory = path;
    options.identity = {77, 3, 1, 2};
    options.layout = {64 << 10, 3};
    options.stored = [this](std::uint64_t t, int s) {
      status = s;
      tag = t;
    };
  }
  Failure open() {
    auto opened = FileDisk::open(options);
    if (!opened) return opened.failure();
    disk = std::move(*opened);
    return {};
  }
  void begin(std::uint64_t keep, std::uint64_t end, std::uint64_t life) {
    disk->start(keep, end);
    writer = std::make_unique<RedoWriter>(end, life);
  }
  void write(Sequence s, std::size_t bytes = 1000) {
    writer->record({1, 0}, s, 1, std::string(bytes, static_cast<char>('a' + s % 26)));
    REQUIRE(disk->append(writer->take(disk->durable(), 1)));
    writer->clear();
  }
  bool wait(std::uint64_t t) {
    for (int i = 0; i < 5000 && tag != t; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return tag == t;
  }
  void flush(std::uint64_t t) {
    disk->flush(t);
    REQUIRE(wait(t));
  }
};

std::vector<Sequence> read(store::DiskReader& disk, RedoPlace from, RedoReader::State want,
                           std::uint64_t* end = nullptr, std::string* why = nullptr) {
  std::vector<Sequence> out;
  RedoReader r(disk, disk.list(), from);
  RedoBlock b;
  RedoReader::State s;
  while ((s = r.next(&b)) == RedoReader::State::block) {
    RedoEntry e;
    while (next_redo_entry(b.entries, &e)) out.push_back(e.sequence);
  }
  if (why != nullptr) *why = r.failure().text;
  REQUIRE(s == want);
  if (end != nullptr) *end = r.position();
  return out;
}

void flip(const std::string& path, std::size_t offset) {
  auto content = read_file(path);
  REQUIRE(content.ok());
  (*content)[offset] = static_cast<char>((*content)[offset] ^ 1);
  ::unlink(path.c_str());
  REQUIRE(!append_file(path, *content));
}

}  // namespace

TEST_CASE("file disk: what is flushed is read again, lap after lap of the ring") {
  Directory d;
  RedoPlace keep;
  Sequence next = 1, kept = 1;
  std::uint64_t end = 0;
  for (std::uint64_t life = 1; life <= 12; life++) {
    Disk k(d.path);
    REQUIRE(!k.open());
    REQUIRE(k.disk->list().notes.empty());
    const auto seen = read(*k.disk, keep, RedoReader::State::end, &end);
    REQUIRE(seen.size() == next - kept);
    for (std::size_t i = 0; i < seen.size(); i++) REQUIRE(seen[i] == kept + i);
    k.begin(keep.position, end, life);
    for (int i = 0; i < 60; i++) {
      if (i == 30) {
        keep = k.writer->place();
        kept = next;
        k.disk->trim(keep.position);
      }
      k.write(next++);
    }
    k.flush(life);
    REQUIRE(k.status == 0);
    REQUIRE(k.disk->durable() == k.disk->position());
    REQUIRE(k.disk->backlog() == 0);
  }
  REQUIRE(end > 3 * 3 * 60000);  // the ring went round
}

TEST_CASE("file disk: a full ring refuses") {
  Directory d;
  Disk k(d.path);
  REQUIRE(!k.open());
  k.begin(0, 0, 1);
  while (k.disk->room() > 2000) k.write(1);
  k.writer->record({1, 0}, 2, 1, std::string(4000, 'x'));
  const std::uint64_t before = k.disk->position();
  REQUIRE(!k.disk->append(k.writer->take(0, 1)));
  REQUIRE(k.disk->position() == before);
  k.disk->trim(before);
  REQUIRE(k.disk->append(k.writer->take(0, 1)));
}

TEST_CASE("file disk: checkpoints appear whole, and what a crash left of one is removed") {
  Directory d;
  {
    Disk k(d.path);
    REQUIRE(!k.open());
    k.begin(0, 0, 1);
    k.disk->begin_checkpoint(1);
    k.disk->write_checkpoint(1, "hello ");
    k.disk->write_checkpoint(1, "world");
    k.disk->finish_checkpoint(1, 9);
    REQUIRE(k.wait(9));
    REQUIRE(k.disk->checkpoint_backlog() == 0);
    k.disk->begin_checkpoint(2);
    k.disk->write_checkpoint(2, "half");
    k.disk->remove_checkpoint(1);  // while the second one is being written
    k.disk->write_checkpoint(2, " and half");
    k.disk->finish_checkpoint(2, 10);
    REQUIRE(k.wait(10));
    k.disk->begin_checkpoint(3);
    k.disk->write_checkpoint(3, "never finished");
  }
  REQUIRE(exists(d.path + "/checkpoint.0003.new"));
  Disk k(d.path);
  REQUIRE(!k.open());
  REQUIRE(!exists(d.path + "/checkpoint.0003.new"));
  REQUIRE(k.disk->list().checkpoints == std::vector<std::uint64_t>{2});
  REQUIRE(*k.disk->checkpoint_bytes(2) == 13);
  REQUIRE(*k.disk->read_checkpoint(2, 5, 100) == "and half");
  REQUIRE(k.disk->read_checkpoint(2, 13, 100)->empty());
  REQUIRE(!k.disk->read_checkpoint(1, 0, 100).ok());
}

TEST_CASE("file disk: files that do not fit are refused and left alone") {
  Directory d;
  {
    Disk k(d.path);
    REQUIRE(!k.open());
    k.begin(0, 0, 1);
    k.write(1);
    k.flush(1);
  }
  const auto before = read_file(d.path + "/redo.0000");
  auto refused = [&](auto change, const char* word) {
    Disk k(d.path);
    change(k.options);
    const Failure f = k.open();
    REQUIRE(f);
    INFO(f.text);
    REQUIRE(f.text.find(word) != std::string::npos);
    REQUIRE(f.text.find("--initial") != std::string::npos);
    REQUIRE(*read_file(d.path + "/redo.0000") == *before);
  };
  refused([](FileDiskOptions& o) { o.layout.file_bytes *= 2; }, "FragmentLogFileSize=65536");
  refused([](FileDiskOptions& o) { o.layout.files = 4; }, "NoOfFragmentLogFiles=3");
  refused([](FileDiskOptions& o) { o.identity.cluster = 5; }, "another cluster");
  refused([](FileDiskOptions& o) { o.identity.node = 4; }, "belongs to node 3");
  refused([](FileDiskOptions& o) { o.identity.workers = 4; }, "MaxNoOfExecutionThreads=2");
  REQUIRE(!FileDisk::remove_files(d.path));
  Disk k(d.path);
  k.options.layout.files = 4;
  REQUIRE(!k.open());
  REQUIRE(k.disk->list().redo_end == 0);
}

TEST_CASE("file disk: damage is named by file and offset; an offline look changes nothing") {
  Directory d;
  std::uint64_t third = 0;
  {
    Disk k(d.path);
    REQUIRE(!k.open());
    k.begin(0, 0, 1);
    for (Sequence s = 1; s <= 8; s++) {
      if (s == 3) third = k.disk->position();
      k.write(s);
      k.flush(s);
    }
  }
  {
    auto look = FileDisk::open_to_read(d.path);
    REQUIRE(look.ok());
    std::vector<std::string> lines;
    REQUIRE(store::check_disk(**look, &lines));
    REQUIRE(lines.size() == 1);
    REQUIRE(lines[0].find("8 blocks from position 0") != std::string::npos);
    REQUIRE(store::dump_store_file(*read_file(d.path + "/redo.0000")).find("sequence 8 ") != std::string::npos);
  }
  flip(d.path + "/redo.0000", 4096 + third + 500);
  Disk k(d.path);
  REQUIRE(!k.open());
  std::string why;
  REQUIRE(read(*k.disk, {}, RedoReader::State::damaged, nullptr, &why).size() == 2);
  REQUIRE(why.find(d.path + "/redo.0000' at offset " + std::to_string(4096 + third)) != std::string::npos);
  auto look = FileDisk::open_to_read(d.path);
  std::vector<std::string> lines;
  REQUIRE(!store::check_disk(**look, &lines));
}

TEST_CASE("file disk: a lost or damaged file of the ring is named") {
  Directory d;
  {
    Disk k(d.path);
    REQUIRE(!k.open());
    k.begin(0, 0, 1);
    for (Sequence s = 1; s <= 100; s++) k.write(s);  // into the second file
    k.flush(1);
  }
  SECTION("missing") {
    ::unlink((d.path + "/redo.0000").c_str());
    Disk k(d.path);
    REQUIRE(!k.open());
    REQUIRE(k.disk->list().notes.size() == 1);
    REQUIRE(k.disk->list().notes[0].find("redo.0000' is missing") != std::string::npos);
    REQUIRE(k.disk->list().redo_begin > 0);
  }
  SECTION("a damaged header") {
    flip(d.path + "/redo.0000", 20);
    Disk k(d.path);
    REQUIRE(!k.open());
    REQUIRE(k.disk->list().notes.size() == 1);
    REQUIRE(k.disk->list().notes[0].find("redo.0000' at offset 0: the checksum") != std::string::npos);
    REQUIRE(k.disk->list().redo_begin > 0);
  }
}

TEST_CASE("file disk: a write that failed is final") {
  Directory d;
  Disk k(d.path);
  REQUIRE(!k.open());
  k.begin(0, 0, 1);
  k.write(1);
  k.flush(1);
  REQUIRE(k.status == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  rlimit small = old;
  small.rlim_cur = 4096;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);  // to the disk: as if it were full
  const std::uint64_t durable = k.disk->durable();
  k.write(2);
  k.flush(2);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
  REQUIRE(k.status != 0);
  REQUIRE(k.disk->failed());
  REQUIRE(k.disk->failure().text.find("redo.0000': File too large") != std::string::npos);
  REQUIRE(k.disk->durable() == durable);
  k.write(3);
  k.flush(3);  // there is room again, and it is refused all the same
  REQUIRE(k.status != 0);
  REQUIRE(k.disk->durable() == durable);
}
