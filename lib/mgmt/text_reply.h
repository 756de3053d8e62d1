// Replies of the management protocol and the JSON that some of them carry (docs/PROTOCOL.md, section 1).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/errors.h"
#include "base/ids.h"
#include "mgmt/text_request.h"

namespace ndb::mgmt {

class Reply {
 public:
  explicit Reply(std::string_view header) : text_(header) {  // empty: a part of another reply
    if (!text_.empty()) text_ += '\n';
  }
  Reply& key(std::string_view name, std::string_view value);  // line ends in the value become "; "
  template <class T>
  requires std::is_integral_v<T> Reply& key(std::string_view name, T value) {
    return key(name, std::string_view(std::to_string(value)));
  }
  Reply& ok() { return key("result", "Ok"); }
  Reply& failed(const Failure& failure);  // result: <number>-<text>
  Reply& line(std::string_view text);     // as it is

  // The reply's bytes. Without and with a bulk.
  std::string done() const { return text_ + "\n"; }
  std::string done_with(const Reply& more) const { return text_ + more.text_ + "\n"; }
  std::string done_json(std::string_view json) const { return with_bulk("application/json", "", json); }
  std::string done_text(std::string_view text) const { return with_bulk("text/plain", "", text); }
  std::string done_base64(std::string_view type, Bytes bytes) const;

 private:
  std::string with_bulk(std::string_view type, std::string_view encoding, std::string_view bulk) const;
  std::string text_;
};

std::string reply_header(const Request& request);  // "get config reply", for get config and get config_v2
std::string result_of(const Failure& failure);     // "Ok" or "<number>-<text>", one line
// Lines of 76 characters, as NDB sends them.
std::string base64_text(Bytes bytes);
std::string node_list(const std::vector<NodeId>& ids);         // "node 1", "nodes 1, 2"
bool base64_bytes(std::string_view text, std::string* bytes);  // white space is skipped; false: malformed

// The text as a string of JSON, which is UTF-8: other bytes become U+FFFD.
void quote_json(std::string* out, std::string_view s);

// Writes one JSON value. Inside an object every value is preceded by name(). Commas come by themselves.
class Json {
 public:
  Json& object() { return open('{'); }
  Json& end_object() { return close('}'); }
  Json& array() { return open('['); }
  Json& end_array() { return close(']'); }
  Json& name(std::string_view n);
  Json& value(std::string_view v);
  Json& value(const char* v) { return value(std::string_view(v)); }
  Json& value(bool v) { return word(v ? "true" : "false"); }
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) Json& value(T v) { return word(std::to_string(v)); }
  Json& null() { return word("null"); }
  Json& raw(std::string_view json) { return word(json); }  // a value that is JSON already
  template <class T>
  Json& member(std::string_view n, const T& v) {
    return name(n).value(v);
  }
  const std::string& text() const { return text_; }

 private:
  Json& open(char c);
  Json& close(char c);
  Json& word(std::string_view w);
  void comma();
  void quote(std::string_view s);
  std::string text_;
  bool first_ = true;  // nothing stands in the innermost container, or a name was just written
};

}  // namespace ndb::mgmt
