// A worker's disk in real files: <dir>/redo.0000 .. and <dir>/checkpoint.0001 .., <dir> being ndb_<id>_fs/w<worker>.
// A thread of its own writes and syncs, the redo log before a checkpoint's next part.
//
// A checkpoint is written as checkpoint.NNNN.new and renamed when it is durable; what a crash left of one is removed at
// the next open. A failed write or fsync is final (the kernel may have dropped the pages: a second fsync would lie).
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "store/disk.h"
#include "store/redo_file.h"

namespace ndb::os {

struct FileDiskOptions {
  std::string directory;  // made if it is missing
  store::DiskIdentity identity;
  store::RedoLayout layout;  // FragmentLogFileSize, NoOfFragmentLogFiles
  bool preallocate = false;  // InitFragmentLogFiles=full: the space is taken at the start; else sparse files
  // Called on the disk's thread when an order ends; give the loop's deliver_stored. Must be callable until the disk is
  // destroyed.
  std::function<void(std::uint64_t tag, int status)> stored;
};

class FileDisk : public store::Disk {
 public:
  // Refuses, with a sentence that says what to do and nothing changed: files of another cluster or node, of another
  // number of workers, with another FragmentLogFileSize or NoOfFragmentLogFiles.
  static Result<std::unique_ptr<FileDisk>> open(FileDiskOptions options);
  // For --check-files: identity and layout as the files say, nothing is made, removed or changed; start() is forbidden.
  static Result<std::unique_ptr<FileDisk>> open_to_read(const std::string& directory);
  const store::DiskIdentity& identity() const;  // opened to read, and no header was good: node 0
  // --initial: removes the redo and checkpoint files of the directory, durably; fine if there is none.
  static Failure remove_files(const std::string& directory);
  ~FileDisk() override;  // carries out what was ordered, then ends; after it nothing is delivered

  Inventory list() override;
  Result<Bytes> read_redo(std::uint64_t position, std::size_t max) override;
  Result<Bytes> read_checkpoint(std::uint64_t id, std::uint64_t offset, std::size_t max) override;
  Result<std::uint64_t> checkpoint_bytes(std::uint64_t id) override;
  std::string redo_place(std::uint64_t position) const override;
  std::string checkpoint_place(std::uint64_t id, std::uint64_t offset) const override;

  void start(std::uint64_t keep, std::uint64_t end) override;
  const store::RedoLayout& layout() const override;
  std::uint64_t position() const override;
  std::uint64_t durable() const override;
  std::uint64_t room() const override;
  std::size_t backlog() const override;
  bool append(Bytes blocks) override;
  void flush(std::uint64_t tag) override;
  void trim(std::uint64_t position) override;
  void begin_checkpoint(std::uint64_t id) override;
  void write_checkpoint(std::uint64_t id, Bytes bytes) override;
  std::size_t checkpoint_backlog() const override;
  void finish_checkpoint(std::uint64_t id, std::uint64_t tag) override;
  void remove_checkpoint(std::uint64_t id) override;
  bool failed() const override;
  Failure failure() const override;

 private:
  struct Impl;
  explicit FileDisk(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The directories of a node's workers, "w0", "w1" .., in ndb_<id>_fs; ascending by worker.
Result<std::vector<std::string>> worker_directories(const std::string& file_system_path);

}  // namespace ndb::os
