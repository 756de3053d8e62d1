#include "cli/json_value.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace ndb::cli {

namespace {

JsonValue convert(const nlohmann::ordered_json& j) {
  JsonValue v;
  if (j.is_boolean()) {
    v.kind = JsonValue::Kind::boolean;
    v.text = j.get<bool>() ? "true" : "false";
  } else if (j.is_number()) {
    v.kind = JsonValue::Kind::number;
    v.text = j.dump();
  } else if (j.is_string()) {
    v.kind = JsonValue::Kind::text;
    v.text = j.get<std::string>();
  } else if (j.is_array()) {
    v.kind = JsonValue::Kind::list;
    for (const auto& item : j) v.items.push_back(convert(item));
  } else if (j.is_object()) {
    v.kind = JsonValue::Kind::object;
    for (const auto& [name, member] : j.items()) v.members.push_back({name, convert(member)});
  }
  return v;
}

}  // namespace

Result<JsonValue> JsonValue::parse(std::string_view json) {
  const auto j = nlohmann::ordered_json::parse(json.begin(), json.end(), nullptr, false);
  if (j.is_discarded()) return Failure{Error::bad_message, "the management server's answer is no JSON"};
  return convert(j);
}

const JsonValue& JsonValue::operator[](std::string_view member) const noexcept {
  static const JsonValue none;
  for (const auto& [name, v] : members) {
    if (name == member) return v;
  }
  return none;
}

std::uint64_t JsonValue::number() const noexcept {
  std::uint64_t n = 0;
  if (kind == Kind::number) std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

}  // namespace ndb::cli
