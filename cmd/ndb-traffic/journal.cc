#include "journal.h"

#include <unistd.h>

#include <cstring>
#include <memory>

#include "base/bytes.h"

namespace ndb::traffic {

namespace {

constexpr char kMagic[9] = "ndbtraf1";

#pragma pack(push, 1)
struct Head {
  char magic[8];
  std::int64_t first_id;
};
struct Record {
  Kind kind;
  std::uint8_t zeros[7];
  std::uint64_t a, b;
};
#pragma pack(pop)
static_assert(sizeof(Head) == 16 && sizeof(Record) == 24);

Failure failed(const std::string& path, const char* what) {
  return {Error::os_failed, "cannot " + std::string(what) + " '" + path + "': " + std::strerror(errno)};
}

void apply(Journal& j, const Record& r) {
  switch (r.kind) {
    case Kind::present:
    case Kind::put:
      j.rows[r.a] = {r.b, 0, false, true, false};
      break;
    case Kind::removed:
      j.rows[r.a] = {0, 0, true, false, false};
      break;
    case Kind::maybe_put: {
      auto [i, fresh] = j.rows.try_emplace(r.a);
      if (fresh) i->second.absent = true;
      i->second.other = r.b;
      i->second.two = true;
      j.unknown++;
      break;
    }
    case Kind::maybe_removed:
      j.rows[r.a].absent = true;
      j.unknown++;
      break;
    case Kind::bank:
      j.accounts = r.a;
      j.bank_sum = static_cast<std::int64_t>(r.b);
      break;
    case Kind::end:
      j.complete = true;
      break;
  }
}

}  // namespace

JournalWriter::~JournalWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Failure JournalWriter::open(const std::string& path, std::int64_t first_id) {
  path_ = path;
  file_ = std::fopen((path + ".new").c_str(), "wb");
  if (file_ == nullptr) return failed(path + ".new", "create");
  Head h{{}, first_id};
  std::memcpy(h.magic, kMagic, sizeof h.magic);
  if (std::fwrite(&h, sizeof h, 1, file_) != 1) return failed(path, "write");
  return {};
}

void JournalWriter::add(Kind kind, std::uint64_t a, std::uint64_t b) {
  const Record r{kind, {}, a, b};
  std::lock_guard lock(mutex_);
  std::fwrite(&r, sizeof r, 1, file_);  // finish() finds out
  records_++;
}

Failure JournalWriter::begin() {
  std::lock_guard lock(mutex_);
  if (std::fflush(file_) != 0) return failed(path_, "write");
  if (std::rename((path_ + ".new").c_str(), path_.c_str()) != 0) return failed(path_, "rename");
  return {};
}

Failure JournalWriter::finish() {
  add(Kind::end, records_, 0);
  std::lock_guard lock(mutex_);
  const bool bad = std::ferror(file_) != 0 || std::fflush(file_) != 0 || fsync(fileno(file_)) != 0;
  return bad ? failed(path_, "write") : Failure{};
}

Result<Journal> read_journal(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return failed(path, "open");
  Head h{};
  if (std::fread(&h, sizeof h, 1, file.get()) != 1 || std::memcmp(h.magic, kMagic, sizeof h.magic) != 0) {
    return Failure{Error::bad_message, "'" + path + "' is no journal of ndb-traffic"};
  }
  Journal j;
  j.first_id = h.first_id;
  Record r{};
  while (std::fread(&r, sizeof r, 1, file.get()) == 1) {
    if (r.kind < Kind::present || r.kind > Kind::end || j.complete) {
      return Failure{Error::bad_message, "'" + path + "' is damaged"};
    }
    apply(j, r);
  }
  return j;
}

}  // namespace ndb::traffic
