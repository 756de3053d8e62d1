// Bytes in and out. All integers on the wire and on disk are little-endian. A Reader never reads past its end: the
// first short read makes it `bad()` for good and every later read returns zero or empty, so a parser checks once, at
// the end. A Writer appends to a growable buffer whose memory is kept across clear(): no allocation in steady state.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/check.h"

namespace ndb {

static_assert(std::endian::native == std::endian::little, "the codecs copy integers as they are");

using Bytes = std::string_view;  // a view of bytes; it owns nothing

template <class T>
requires std::is_trivially_copyable_v<T>
inline T load(const void* p) noexcept {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
requires std::is_trivially_copyable_v<T>
inline void save(void* p, T v) noexcept { std::memcpy(p, &v, sizeof v); }

class Reader {
 public:
  explicit Reader(Bytes b) : p_(b.data()), end_(b.data() + b.size()) {}
  template <class T>
  T get() noexcept {
    if (static_cast<std::size_t>(end_ - p_) < sizeof(T)) {
      fail();
      return T{};
    }
    T v = load<T>(p_);
    p_ += sizeof(T);
    return v;
  }
  std::uint8_t u8() noexcept { return get<std::uint8_t>(); }
  std::uint16_t u16() noexcept { return get<std::uint16_t>(); }
  std::uint32_t u32() noexcept { return get<std::uint32_t>(); }
  std::uint64_t u64() noexcept { return get<std::uint64_t>(); }
  Bytes raw(std::size_t n) noexcept {
    if (static_cast<std::size_t>(end_ - p_) < n) {
      fail();
      return {};
    }
    Bytes b(p_, n);
    p_ += n;
    return b;
  }
  Bytes bytes16() noexcept { return raw(u16()); }  // u16 length, then bytes
  Bytes bytes32() noexcept { return raw(u32()); }  // u32 length, then bytes
  std::string text() { return std::string(bytes32()); }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - p_); }
  const char* at() const noexcept { return p_; }
  bool bad() const noexcept { return bad_; }
  bool done() const noexcept { return !bad_ && p_ == end_; }  // all read, nothing missing
  void fail() noexcept {
    bad_ = true;
    p_ = end_;
  }

 private:
  const char* p_;
  const char* end_;
  bool bad_ = false;
};

class Writer {
 public:
  Writer() = default;
  Writer(Writer&& o) noexcept { *this = std::move(o); }
  Writer& operator=(Writer&& o) noexcept {
    buffer_ = std::move(o.buffer_);
    size_ = o.size_;
    capacity_ = o.capacity_;
    o.size_ = o.capacity_ = 0;
    return *this;
  }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(T v) { std::memcpy(extend(sizeof v), &v, sizeof v); }
  void u8(std::uint8_t v) { put(v); }
  void u16(std::uint16_t v) { put(v); }
  void u32(std::uint32_t v) { put(v); }
  void u64(std::uint64_t v) { put(v); }
  void raw(Bytes b) {
    if (!b.empty()) std::memcpy(extend(b.size()), b.data(), b.size());
  }
  void bytes16(Bytes b) {
    NDB_CHECK(b.size() <= 0xffff);
    u16(static_cast<std::uint16_t>(b.size()));
    raw(b);
  }
  void bytes32(Bytes b) {
    u32(static_cast<std::uint32_t>(b.size()));
    raw(b);
  }
  // Room for n bytes at the end, to be filled by the caller. Valid until the next call.
  char* extend(std::size_t n) {
    if (capacity_ - size_ < n) grow(n);
    char* p = buffer_.get() + size_;
    size_ += n;
    return p;
  }
  template <class T>
  void patch(std::size_t offset, T v) {
    NDB_CHECK(offset + sizeof v <= size_);
    std::memcpy(buffer_.get() + offset, &v, sizeof v);
  }
  void truncate(std::size_t n) {
    NDB_CHECK(n <= size_);
    size_ = n;
  }
  void clear() noexcept { size_ = 0; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  char* data() noexcept { return buffer_.get(); }
  const char* data() const noexcept { return buffer_.get(); }
  Bytes view() const noexcept { return {buffer_.get(), size_}; }

 private:
  void grow(std::size_t n) {
    std::size_t c = capacity_ ? capacity_ * 2 : 256;
    while (c - size_ < n) c *= 2;
    auto b = std::make_unique_for_overwrite<char[]>(c);
    if (size_) std::memcpy(b.get(), buffer_.get(), size_);
    buffer_ = std::move(b);
    capacity_ = c;
  }
  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace ndb
