// JSON as the management server answers it, read into a plain value. What is absent reads as null, a null as 0, ""
// and an empty list: tools look at members without asking first.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/errors.h"

namespace ndb::cli {

class JsonValue {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, text, list, object };

  static Result<JsonValue> parse(std::string_view json);  // bad_message

  const JsonValue& operator[](std::string_view member) const noexcept;
  bool is_null() const noexcept { return kind == Kind::null; }
  std::uint64_t number() const noexcept;  // whole and not negative; 0 for everything else
  bool boolean() const noexcept { return kind == Kind::boolean && text == "true"; }

  Kind kind = Kind::null;
  std::string text;  // of a text; a number or boolean as it stands
  std::vector<JsonValue> items;
  struct Member;
  std::vector<Member> members;
};

struct JsonValue::Member {
  std::string first;
  JsonValue second;
};

}  // namespace ndb::cli
