// Values that running processes were told alone (`ndb set live`): they stand in place of the configuration's until the
// process ends, or until they are taken back.
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
    if (value.empty())
      values_.erase(name);
    else
      values_[name] = value;
  }
  // "name=value", as the order says it, and gives back the two; without a name it was no such text.
  std::pair<std::string, std::string> take(std::string_view text) {
    const std::size_t equal = text.find('=');
    if (equal == std::string_view::npos) return {};
    std::pair<std::string, std::string> told(text.substr(0, equal), text.substr(equal + 1));
    set(told.first, told.second);
    return told;
  }
  const std::string* find(std::string_view name) const {
    const auto i = values_.find(name);
    return i == values_.end() ? nullptr : &i->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace ndb::meta
