// A configuration as numbered values, between a Config and its two binary forms. Inside lib/mgmt
// only.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/errors.h"
#include "mgmt/config.h"

namespace ndb::mgmt::binary {

// Value types as both versions number them.
enum class Type : std::uint32_t { number = 1, text = 2, section = 3, wide = 4 };

struct Value {
  Type type = Type::number;
  std::uint64_t number = 0;
  std::string text;
  friend bool operator==(const Value&, const Value&) = default;
  friend auto operator<=>(const Value&, const Value&) = default;
};
using Entries = std::map<std::uint32_t, Value>;

struct Item {
  Kind kind = Kind::system;
  Entries entries;
};
struct Image {
  Entries system;
  std::vector<Item> nodes;  // by id
  std::vector<Item> links;
};

inline constexpr std::uint32_t kKeyNodeId = 3;
inline constexpr std::uint32_t kKeyNode1 = 400;
inline constexpr std::uint32_t kKeyNode2 = 401;

Image make_image(const Config&, NodeId for_node);
Result<Config> make_config(const Image&, bool stock);

inline Failure malformed(std::string what) { return {Error::bad_message, "binary configuration: " + std::move(what)}; }

Result<Image> read_v1(Bytes bytes);
Result<Image> read_v2(Bytes bytes);
Result<std::string> write_v1(const Image&);
std::string write_v2(const Image&);

// Big-endian words, one after the other; the first short read makes it bad for good.
class Words {
 public:
  explicit Words(Bytes bytes) : bytes_(bytes) {}
  std::uint32_t next();
  bool text(std::uint32_t length, std::size_t padded,
            std::string* out);  // length with its zero byte
  bool entry_value(Type type, bool old_padding, Value* out);
  std::size_t left() const { return bytes_.size() / 4; }
  bool bad() const { return bad_; }

 private:
  Bytes bytes_;
  bool bad_ = false;
};

void put_word(std::string& out, std::uint32_t word);
void put_value(std::string& out, const Value& v, bool old_padding);
std::uint32_t exclusive_or(Bytes words);

}  // namespace ndb::mgmt::binary
