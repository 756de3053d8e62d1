// Values that running processes were told alone (`ndb set live`): they stand in place of the configuration's until the
// process ends, or until they are taken back.
//
//   "name=value"    is told; "name=": as configured again
//   "?name=value"   is kept while the configuration changes beside it, unless something was told; "?name=": no longer
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace ndb::meta {

class LiveValues {
 public:
  // An empty value: as configured again.
  void set(const std::string& name, const std::string& value) {
    kept_.erase(name);
    put(told_, name, value);
  }
  // What an order says. Gives back the name and what holds now (empty: as configured); without a name it was no order.
  std::pair<std::string, std::string> take(std::string_view text) {
    const std::size_t equal = text.find('=');
    if (equal == std::string_view::npos) return {};
    const bool keep = text.starts_with('?');
    const std::string name(text.substr(keep ? 1 : 0, equal - (keep ? 1 : 0)));
    const std::string value(text.substr(equal + 1));
    if (keep)
      put(kept_, name, value);
    else
      set(name, value);
    const std::string* now = find(name);
    return {name, now != nullptr ? *now : std::string()};
  }
  const std::string* find(std::string_view name) const {
    for (const Values* v : {&told_, &kept_}) {
      if (const auto i = v->find(name); i != v->end()) return &i->second;
    }
    return nullptr;
  }

 private:
  using Values = std::map<std::string, std::string, std::less<>>;
  static void put(Values& values, const std::string& name, const std::string& value) {
    if (value.empty())
      values.erase(name);
    else
      values[name] = value;
  }

  Values told_, kept_;
};

}  // namespace ndb::meta
