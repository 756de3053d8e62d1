#include "os/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace ndb::os {
namespace {

// False: it was not, so that is no reason for an error.
bool leave_direct(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

// 0, or errno. `n` and `offset` are multiples of a block.
int write_blocks(int fd, const char* p, std::size_t n, std::uint64_t offset) {
  while (n > 0) {
    const ssize_t wrote = ::pwrite(fd, p, n, static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EINVAL && leave_direct(fd)) continue;
    if (wrote < 0) return errno;
    std::size_t done = static_cast<std::size_t>(wrote);
    if (done < n) done -= done % DirectAppender::kBlock;
    if (done == 0 && !leave_direct(fd)) return EIO;
    p += done;
    n -= done;
    offset += done;
  }
  return 0;
}

}  // namespace

void DirectAppender::Free::operator()(char* p) const { std::free(p); }

DirectAppender::DirectAppender() : buffer_(static_cast<char*>(std::aligned_alloc(kBlock, kBufferBytes))) {
  NDB_CHECK(buffer_ != nullptr);
}

void DirectAppender::use(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) (void)::fcntl(fd, F_SETFL, flags | O_DIRECT);
}

int DirectAppender::begin(int fd, std::uint64_t offset) {
  fd_ = -1;
  base_ = offset - offset % kBlock;
  used_ = static_cast<std::size_t>(offset - base_);
  if (used_ > 0) {
    std::memset(buffer_.get(), 0, kBlock);
    ssize_t n;
    do {
      n = ::pread(fd, buffer_.get(), kBlock, static_cast<off_t>(base_));
    } while (n < 0 && (errno == EINTR || (errno == EINVAL && leave_direct(fd))));
    if (n < 0) return errno;
    if (static_cast<std::size_t>(n) < used_) return EIO;
  }
  fd_ = fd;
  return 0;
}

int DirectAppender::append(int fd, std::uint64_t offset, Bytes bytes) {
  if (fd != fd_ || offset != base_ + used_) {
    if (int e = begin(fd, offset); e != 0) return e;
  }
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kBufferBytes - used_);
    std::memcpy(buffer_.get() + used_, bytes.data(), n);
    used_ += n;
    bytes.remove_prefix(n);
    const std::size_t whole = used_ - used_ % kBlock, end = (used_ + kBlock - 1) / kBlock * kBlock;
    std::memset(buffer_.get() + used_, 0, end - used_);
    if (int e = write_blocks(fd, buffer_.get(), end, base_); e != 0) {
      fd_ = -1;
      return e;
    }
    std::memmove(buffer_.get(), buffer_.get() + whole, used_ - whole);
    base_ += whole;
    used_ -= whole;
  }
  return 0;
}

}  // namespace ndb::os
