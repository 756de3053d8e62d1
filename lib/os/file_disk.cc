#include "os/file_disk.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/check.h"
#include "env/limits.h"
#include "os/direct_file.h"
#include "os/files.h"

namespace ndb::os {
namespace {

using store::DiskIdentity;
using store::RedoFileHeader;
using store::RedoLayout;

std::string numbered(const char* what, std::uint64_t n) {
  char name[40];
  std::snprintf(name, sizeof name, "%s.%04llu", what, static_cast<unsigned long long>(n));
  return name;
}
// The number of "<what>.<digits>"; false: another name.
bool number_of(const std::string& name, const std::string& what, std::uint64_t* n) {
  if (!name.starts_with(what + ".") || name.size() < what.size() + 5 || name.size() > what.size() + 19) return false;
  *n = 0;
  for (char c : name.substr(what.size() + 1)) {
    if (c < '0' || c > '9') return false;
    *n = *n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

Result<Bytes> pread_some(int fd, const std::string& path, std::uint64_t offset, std::size_t max, std::string* buffer) {
  buffer->resize(std::min(max, std::size_t{4} << 20));
  ssize_t n;
  do {
    n = ::pread(fd, buffer->data(), buffer->size(), static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return os_failure("read", path, errno);
  return Bytes(*buffer).substr(0, static_cast<std::size_t>(n));
}

// What the configuration wants is not what the files were made with: a sentence.
std::string misfit(const RedoFileHeader& h, const DiskIdentity& want, const RedoLayout& layout) {
  const std::string initial =
      ": start the node with --initial, which deletes its data here and fetches it from its node "
      "group, or ";
  if (h.identity.cluster != want.cluster) {
    return "belongs to another cluster (" + std::to_string(h.identity.cluster) + ", this one is " +
           std::to_string(want.cluster) + ")" + initial + "give it its own directory";
  }
  if (h.identity.node != want.node || h.identity.worker != want.worker) {
    return "belongs to node " + std::to_string(h.identity.node) + " worker " + std::to_string(h.identity.worker) +
           ", not to node " + std::to_string(want.node) + " worker " + std::to_string(want.worker) + initial +
           "give it its own directory";
  }
  auto changed = [&](const char* parameter, std::uint64_t then, std::uint64_t now) {
    return std::string("was made with ") + parameter + "=" + std::to_string(then) + ", the configuration says " +
           std::to_string(now) + initial + "set it back";
  };
  if (h.identity.workers != want.workers) return changed("MaxNoOfExecutionThreads", h.identity.workers, want.workers);
  if (h.layout.file_bytes != layout.file_bytes) {
    return changed("FragmentLogFileSize", h.layout.file_bytes, layout.file_bytes);
  }
  if (h.layout.files != layout.files) return changed("NoOfFragmentLogFiles", h.layout.files, layout.files);
  return {};
}

}  // namespace

struct FileDisk::Impl {
  struct Order {
    enum class Kind : std::uint8_t { begin, write, finish, remove };
    Kind kind = Kind::begin;
    std::uint64_t id = 0;
    std::uint64_t tag = 0;
    std::string bytes;
  };

  // ---- set at open
  FileDiskOptions options;
  bool read_only = false;
  std::vector<Fd> files;                // by number; none = not there
  std::vector<RedoFileHeader> headers;  // after start() the thread's
  std::vector<std::string> notes;
  std::string buffer;  // of reads
  std::uint64_t reading_id = 0;
  Fd reading;

  // ---- the worker's side
  bool started = false;
  std::uint64_t keep = 0, end = 0, checkpoint_id = 0;

  // ---- shared
  mutable std::mutex mutex;
  std::condition_variable changed;
  Writer fresh;                // appended, not taken by the thread yet
  std::uint64_t fresh_at = 0;  // its position
  struct Flush {
    std::uint64_t tag, position;
  };
  std::deque<Flush> flushes;
  std::deque<Order> orders;  // of checkpoints
  bool ending = false;
  Failure why;
  std::atomic<bool> broken{false};
  std::atomic<std::uint64_t> durable{0}, written{0};
  std::atomic<std::size_t> checkpoint_backlog{0};

  // ---- the thread's
  Writer writing;
  std::set<std::uint32_t> touched;  // files written since they were synced
  DirectAppender redo_out, checkpoint_out;
  Fd checkpoint;
  std::uint64_t checkpoint_at = 0, writing_id = 0;
  std::thread thread;

  std::string path(const std::string& name) const { return options.directory + "/" + name; }
  std::string redo_path(std::uint32_t n) const { return path(numbered("redo", n)); }
  std::string checkpoint_path(std::uint64_t id) const { return path(numbered("checkpoint", id)); }

  Failure look(bool* found);
  Failure adopt();
  Failure make_file(std::uint32_t n);
  void work();
  void redo_round(const std::deque<Flush>& wanted, std::uint64_t at);
  Failure write_redo(std::uint64_t position, Bytes bytes);
  Failure sync_redo();
  Failure carry_out(Order& o);
  void fail(Failure f) {
    std::lock_guard lock(mutex);
    if (!broken) why = std::move(f);
    broken = true;
  }
};

// ---- opening

// Opens what is there and reads the headers. Changes nothing.
Failure FileDisk::Impl::look(bool* found) {
  *found = false;
  auto names = list_directory(options.directory);
  if (!names) return names.failure();
  for (const std::string& name : *names) {
    std::uint64_t n = 0;
    if (!number_of(name, "redo", &n)) continue;
    *found = true;
    const std::string p = path(name);
    Fd fd(::open(p.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (!fd) return os_failure("open", p, errno);
    auto head = pread_some(fd.get(), p, 0, RedoFileHeader::kBytes, &buffer);
    if (!head) return head.failure();
    RedoFileHeader h;
    std::string wrong = RedoFileHeader::decode(*head, &h);
    if (wrong.empty() && read_only && options.identity.node == 0) {  // the first good header says what fits
      options.identity = h.identity;
      options.layout = h.layout;
    }
    if (wrong.empty()) {
      if (std::string m = misfit(h, options.identity, options.layout); !m.empty()) {
        return {Error::os_failed, "'" + p + "' " + m};
      }
      if (h.number != n) wrong = "it calls itself number " + std::to_string(h.number);
    }
    headers.resize(options.layout.files);
    files.resize(options.layout.files);
    if (n >= options.layout.files) {
      notes.push_back("'" + p + "' is none of the " + std::to_string(options.layout.files) + " files of the redo log");
      continue;
    }
    if (wrong.empty()) {
      headers[n] = h;
    } else {
      notes.push_back("'" + p + "' at offset 0: " + wrong);
    }
    files[n] = std::move(fd);
  }
  headers.resize(options.layout.files);
  files.resize(options.layout.files);
  return {};
}

Failure FileDisk::Impl::make_file(std::uint32_t n) {
  const std::string p = redo_path(n);
  if (!files[n]) files[n] = Fd(::open(p.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!files[n]) return os_failure("create", p, errno);
  const auto size = static_cast<off_t>(options.layout.file_bytes);
  if (::ftruncate(files[n].get(), size) != 0) return os_failure("create", p, errno);
  if (options.preallocate) {
    if (int e = ::posix_fallocate(files[n].get(), 0, size); e != 0) return os_failure("take the space of", p, e);
  }
  RedoFileHeader h;
  h.identity = options.identity;
  h.layout = options.layout;
  h.number = n;
  headers[n] = h;
  if (int e = redo_out.append(files[n].get(), 0, h.encode()); e != 0) return os_failure("write", p, e);
  if (::fsync(files[n].get()) != 0) return os_failure("sync", p, errno);
  return {};
}

// Completes the ring and removes what a crash left of a checkpoint. A file that is missing or has no header is made
// anew only while the log is empty; else it is named, and Recovery judges whether it is needed.
Failure FileDisk::Impl::adopt() {
  const bool empty = std::none_of(headers.begin(), headers.end(), [](const auto& h) { return h.entered; });
  if (empty) notes.clear();
  for (std::uint32_t n = 0; n < options.layout.files; n++) {
    struct stat s {};
    const bool whole = files[n] && headers[n].layout.files == options.layout.files && headers[n].number == n &&
                       headers[n].identity.cluster == options.identity.cluster;
    const bool large = files[n] && ::fstat(files[n].get(), &s) == 0 &&
                       static_cast<std::uint64_t>(s.st_size) >= options.layout.file_bytes;
    if (whole && large) continue;
    if (!files[n] && !empty) notes.push_back("'" + redo_path(n) + "' is missing");
    if (files[n] && headers[n].entered) {
      notes.push_back("'" + redo_path(n) + "' is shorter than it was made");
      if (::ftruncate(files[n].get(), static_cast<off_t>(options.layout.file_bytes)) != 0) {
        return os_failure("enlarge", redo_path(n), errno);
      }
      continue;
    }
    if (files[n] && !empty) continue;  // its header is damaged: kept as it is until it is entered anew
    if (Failure f = make_file(n)) return f;
  }
  auto names = list_directory(options.directory);
  if (!names) return names.failure();
  for (const std::string& name : *names) {
    if (!name.starts_with("checkpoint.") || !name.ends_with(".new")) continue;
    if (Failure f = remove_file(path(name))) return f;
  }
  return sync_directory(options.directory);
}

FileDisk::FileDisk(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<FileDisk>> FileDisk::open(FileDiskOptions options) {
  NDB_CHECK(options.layout.file_bytes >= limits::kRedoFileBytesMin && options.layout.files >= limits::kRedoFilesMin);
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (Failure f = make_directories(impl->options.directory)) return f;
  bool found = false;
  if (Failure f = impl->look(&found)) return f;
  if (Failure f = impl->adopt()) return f;
  return std::unique_ptr<FileDisk>(new FileDisk(std::move(impl)));
}

Result<std::unique_ptr<FileDisk>> FileDisk::open_to_read(const std::string& directory) {
  auto impl = std::make_unique<Impl>();
  impl->options.directory = directory;
  impl->read_only = true;
  bool found = false;
  if (Failure f = impl->look(&found)) return f;
  if (found) {
    for (std::uint32_t n = 0; n < impl->options.layout.files; n++) {
      if (!impl->files[n]) impl->notes.push_back("'" + impl->redo_path(n) + "' is missing");
    }
  }
  return std::unique_ptr<FileDisk>(new FileDisk(std::move(impl)));
}

Failure FileDisk::remove_files(const std::string& directory) {
  if (!exists(directory)) return {};
  auto names = list_directory(directory);
  if (!names) return names.failure();
  for (const std::string& name : *names) {
    std::uint64_t n = 0;
    const bool ours = number_of(name, "redo", &n) || number_of(name, "checkpoint", &n) ||
                      (name.starts_with("checkpoint.") && name.ends_with(".new"));
    if (!ours) continue;
    if (Failure f = remove_file(directory + "/" + name)) return f;
  }
  return sync_directory(directory);
}

FileDisk::~FileDisk() {
  if (!impl_->thread.joinable()) return;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

// ---- reading

store::Disk::Inventory FileDisk::list() {
  Inventory i;
  i.notes = impl_->notes;
  store::find_redo_range(impl_->options.layout, impl_->headers, &i.redo_begin, &i.redo_end);
  auto names = list_directory(impl_->options.directory);
  if (!names) {
    i.notes.push_back(names.failure().sentence());
    return i;
  }
  std::uint64_t id = 0;
  for (const std::string& name : *names) {
    if (number_of(name, "checkpoint", &id)) i.checkpoints.push_back(id);
  }
  std::sort(i.checkpoints.begin(), i.checkpoints.end());
  return i;
}

Result<Bytes> FileDisk::read_redo(std::uint64_t position, std::size_t max) {
  const RedoLayout& l = impl_->options.layout;
  const std::uint32_t n = l.file_of(position);
  const std::uint64_t to_end = l.first_of(position) + l.data_bytes() - position;
  if (!impl_->files[n]) return os_failure("open", impl_->redo_path(n), ENOENT);
  return pread_some(impl_->files[n].get(), impl_->redo_path(n), l.offset_of(position),
                    static_cast<std::size_t>(std::min<std::uint64_t>(max, to_end)), &impl_->buffer);
}

Result<Bytes> FileDisk::read_checkpoint(std::uint64_t id, std::uint64_t offset, std::size_t max) {
  const std::string p = impl_->checkpoint_path(id);
  if (impl_->reading_id != id || !impl_->reading) {
    impl_->reading = Fd(::open(p.c_str(), O_RDONLY | O_CLOEXEC));
    if (!impl_->reading) return os_failure("open", p, errno);
    impl_->reading_id = id;
  }
  return pread_some(impl_->reading.get(), p, offset, max, &impl_->buffer);
}

Result<std::uint64_t> FileDisk::checkpoint_bytes(std::uint64_t id) {
  struct stat s {};
  const std::string p = impl_->checkpoint_path(id);
  if (::stat(p.c_str(), &s) != 0) return os_failure("open", p, errno);
  return static_cast<std::uint64_t>(s.st_size);
}

std::string FileDisk::redo_place(std::uint64_t position) const {
  const RedoLayout& l = impl_->options.layout;
  return "'" + impl_->redo_path(l.file_of(position)) + "' at offset " + std::to_string(l.offset_of(position));
}

std::string FileDisk::checkpoint_place(std::uint64_t id, std::uint64_t offset) const {
  return "'" + impl_->checkpoint_path(id) + "' at offset " + std::to_string(offset);
}

// ---- orders

void FileDisk::start(std::uint64_t keep, std::uint64_t end) {
  NDB_CHECK(!impl_->started && !impl_->read_only && keep <= end);
  impl_->started = true;
  impl_->keep = keep;
  impl_->end = impl_->fresh_at = end;
  impl_->durable = impl_->written = end;
  impl_->reading.reset();
  for (std::uint32_t n = 0; n < impl_->files.size(); n++) {
    DirectAppender::use(impl_->files[n].get());
    if (::fdatasync(impl_->files[n].get()) == 0) continue;
    impl_->fail(os_failure("sync", impl_->redo_path(n), errno));
    break;
  }
  impl_->thread = std::thread([i = impl_.get()] { i->work(); });
  ::pthread_setname_np(impl_->thread.native_handle(), "ndb-disk");
}

const DiskIdentity& FileDisk::identity() const { return impl_->options.identity; }
const RedoLayout& FileDisk::layout() const { return impl_->options.layout; }
std::uint64_t FileDisk::position() const { return impl_->end; }
std::uint64_t FileDisk::durable() const { return impl_->durable; }
std::size_t FileDisk::backlog() const { return static_cast<std::size_t>(impl_->end - impl_->written); }
bool FileDisk::failed() const { return impl_->broken; }
Failure FileDisk::failure() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->why;
}

std::uint64_t FileDisk::room() const {
  const std::size_t waiting = backlog();
  const std::uint64_t buffer = waiting < limits::kRedoBufferBytesMax ? limits::kRedoBufferBytesMax - waiting : 0;
  return std::min(buffer, impl_->options.layout.room(impl_->keep, impl_->end));
}

bool FileDisk::append(Bytes blocks) {
  NDB_CHECK(impl_->started);
  if (blocks.size() > room()) return false;
  bool wake;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->fresh.raw(blocks);
    wake = impl_->fresh.size() >= limits::kRedoWriteBytes;
  }
  impl_->end += blocks.size();
  if (wake) impl_->changed.notify_all();
  return true;
}

void FileDisk::flush(std::uint64_t tag) {
  NDB_CHECK(impl_->started);
  {
    std::lock_guard lock(impl_->mutex);
    impl_->flushes.push_back({tag, impl_->end});
  }
  impl_->changed.notify_all();
}

void FileDisk::trim(std::uint64_t position) {
  NDB_CHECK(position <= impl_->end);
  impl_->keep = std::max(impl_->keep, position);
}

void FileDisk::begin_checkpoint(std::uint64_t id) {
  NDB_CHECK(impl_->started && impl_->checkpoint_id == 0 && id != 0);
  impl_->checkpoint_id = id;
  std::lock_guard lock(impl_->mutex);
  impl_->orders.push_back({Impl::Order::Kind::begin, id, 0, {}});
  impl_->changed.notify_all();
}

void FileDisk::write_checkpoint(std::uint64_t id, Bytes bytes) {
  NDB_CHECK(id == impl_->checkpoint_id);
  impl_->checkpoint_backlog += bytes.size();
  std::lock_guard lock(impl_->mutex);
  impl_->orders.push_back({Impl::Order::Kind::write, id, 0, std::string(bytes)});
  impl_->changed.notify_all();
}

std::size_t FileDisk::checkpoint_backlog() const { return impl_->checkpoint_backlog; }

void FileDisk::finish_checkpoint(std::uint64_t id, std::uint64_t tag) {
  NDB_CHECK(id == impl_->checkpoint_id);
  impl_->checkpoint_id = 0;
  std::lock_guard lock(impl_->mutex);
  impl_->orders.push_back({Impl::Order::Kind::finish, id, tag, {}});
  impl_->changed.notify_all();
}

void FileDisk::remove_checkpoint(std::uint64_t id) {
  NDB_CHECK(impl_->started);
  if (id == impl_->checkpoint_id) impl_->checkpoint_id = 0;
  std::lock_guard lock(impl_->mutex);
  impl_->orders.push_back({Impl::Order::Kind::remove, id, 0, {}});
  impl_->changed.notify_all();
}

// ---- the thread

void FileDisk::Impl::work() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(
        lock, [&] { return ending || !flushes.empty() || !orders.empty() || fresh.size() >= limits::kRedoWriteBytes; });
    if (!flushes.empty() || fresh.size() >= limits::kRedoWriteBytes || (ending && !fresh.empty())) {
      std::deque<Flush> wanted;
      wanted.swap(flushes);
      std::swap(writing, fresh);
      const std::uint64_t at = fresh_at;
      fresh_at += writing.size();
      lock.unlock();
      redo_round(wanted, at);
      writing.clear();
      lock.lock();
      continue;
    }
    if (!orders.empty()) {
      Order o = std::move(orders.front());
      orders.pop_front();
      lock.unlock();
      if (!broken) {
        if (Failure f = carry_out(o)) fail(std::move(f));
      }
      checkpoint_backlog -= o.bytes.size();
      if (o.kind == Order::Kind::finish && options.stored) options.stored(o.tag, broken ? 1 : 0);
      lock.lock();
      continue;
    }
    if (ending) return;
  }
}

void FileDisk::Impl::redo_round(const std::deque<Flush>& wanted, std::uint64_t at) {
  if (!broken) {
    if (Failure f = write_redo(at, writing.view())) fail(std::move(f));
  }
  written = at + writing.size();
  if (wanted.empty()) return;
  if (!broken) {
    if (Failure f = sync_redo()) fail(std::move(f));
  }
  if (!broken) durable = at + writing.size();
  for (const Flush& f : wanted) {
    if (options.stored) options.stored(f.tag, broken ? 1 : 0);
  }
}

Failure FileDisk::Impl::write_redo(std::uint64_t position, Bytes bytes) {
  const RedoLayout& l = options.layout;
  while (!bytes.empty()) {
    const std::uint32_t n = l.file_of(position);
    const std::uint64_t first = l.first_of(position);
    RedoFileHeader& h = headers[n];
    if (!h.entered || h.first != first) {
      h.identity = options.identity;
      h.layout = l;
      h.number = n;
      h.entered = true;
      h.first = first;
      if (int e = redo_out.append(files[n].get(), 0, h.encode()); e != 0) {
        return os_failure("write", redo_path(n), e);
      }
      if (::fdatasync(files[n].get()) != 0) return os_failure("sync", redo_path(n), errno);
    }
    const auto part =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), first + l.data_bytes() - position));
    if (int e = redo_out.append(files[n].get(), l.offset_of(position), bytes.substr(0, part)); e != 0) {
      return os_failure("write", redo_path(n), e);
    }
    touched.insert(n);
    position += part;
    bytes.remove_prefix(part);
  }
  return {};
}

Failure FileDisk::Impl::sync_redo() {
  for (std::uint32_t n : touched) {
    if (::fdatasync(files[n].get()) != 0) return os_failure("sync", redo_path(n), errno);
  }
  touched.clear();
  return {};
}

Failure FileDisk::Impl::carry_out(Order& o) {
  const std::string p = checkpoint_path(o.id), unfinished = p + ".new";
  switch (o.kind) {
    case Order::Kind::begin:
      checkpoint = Fd(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
      if (!checkpoint) return os_failure("create", unfinished, errno);
      DirectAppender::use(checkpoint.get());
      checkpoint_at = 0;
      writing_id = o.id;
      return {};
    case Order::Kind::write:
      if (!checkpoint) return {};  // removed in between
      if (int e = checkpoint_out.append(checkpoint.get(), checkpoint_at, o.bytes); e != 0) {
        return os_failure("write", unfinished, e);
      }
      checkpoint_at += o.bytes.size();
      return {};
    case Order::Kind::finish:
      if (::ftruncate(checkpoint.get(), static_cast<off_t>(checkpoint_at)) != 0) {
        return os_failure("write", unfinished, errno);
      }
      if (::fsync(checkpoint.get()) != 0) return os_failure("sync", unfinished, errno);
      checkpoint.reset();
      if (::rename(unfinished.c_str(), p.c_str()) != 0) return os_failure("replace", p, errno);
      return sync_directory(options.directory);
    case Order::Kind::remove:
      if (o.id == writing_id) checkpoint.reset();
      if (Failure f = remove_file(unfinished)) return f;
      return remove_file(p);
  }
  return {};
}

Result<std::vector<std::string>> worker_directories(const std::string& file_system_path) {
  auto names = list_directory(file_system_path);
  if (!names) return names.failure();
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& name : *names) {
    const bool digits =
        name.size() > 1 && name.size() < 5 && name.find_first_not_of("0123456789", 1) == std::string::npos;
    if (digits && name[0] == 'w') found.emplace_back(std::stoi(name.substr(1)), name);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& f : found) out.push_back(std::move(f.second));
  return out;
}

}  // namespace ndb::os
