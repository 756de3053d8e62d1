// Appends to files past the page cache (O_DIRECT): for logs and checkpoints, which are written once and read by nobody
// until the next start. The kernel's copy into fresh pages costs 1 us and more a page of 4 KiB; this costs a copy into
// a buffer that stays.
//
// The device is given whole blocks of 4 KiB: the last one is kept, and written again with what follows; behind the end
// it holds zeros. A file system that cannot do this gets ordinary writes. One thread.
#pragma once
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace ndb::os {

class DirectAppender {
 public:
  static constexpr std::size_t kBlock = 4096;
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  DirectAppender();
  // From now on `fd` is written by DirectAppenders only, and may become as large as a multiple of kBlock.
  static void use(int fd);
  // At `offset`: where the last one ended, or anywhere else, then what the block holds before it is read first.
  // 0, or errno; after an error nothing is known of what `bytes` covers.
  int append(int fd, std::uint64_t offset, Bytes bytes);

 private:
  struct Free {
    void operator()(char* p) const;
  };
  int begin(int fd, std::uint64_t offset);

  std::unique_ptr<char, Free> buffer_;
  int fd_ = -1;
  std::uint64_t base_ = 0;  // of the buffer in the file, a multiple of kBlock
  std::size_t used_ = 0;
};

}  // namespace ndb::os
