#include "mgmt/text_reply.h"

#include <array>

#include "base/utf8.h"

namespace ndb::mgmt {

namespace {

std::string one_line(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (char c : s) {
    if (c == '\n') {
      out += "; ";
    } else if (c != '\r') {
      out += c;
    }
  }
  return out;
}

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kLineCharacters = 76;

}  // namespace

std::string result_of(const Failure& failure) {
  if (!failure) return "Ok";
  return std::to_string(static_cast<unsigned>(failure.error)) + "-" + one_line(failure.sentence());
}

Reply& Reply::key(std::string_view name, std::string_view value) {
  text_.append(name).append(": ").append(one_line(value)).append("\n");
  return *this;
}
Reply& Reply::failed(const Failure& failure) { return key("result", result_of(failure)); }
Reply& Reply::line(std::string_view text) {
  text_.append(one_line(text)).append("\n");
  return *this;
}

std::string Reply::with_bulk(std::string_view type, std::string_view encoding, std::string_view bulk) const {
  std::string s = text_;
  s.append("Content-Length: ").append(std::to_string(bulk.size())).append("\n");
  s.append("Content-Type: ").append(type).append("\n");
  if (!encoding.empty()) s.append("Content-Transfer-Encoding: ").append(encoding).append("\n");
  s.append("\n").append(bulk).append("\n");
  return s;
}
std::string Reply::done_base64(std::string_view type, Bytes bytes) const {
  return with_bulk(type, "base64", base64_text(bytes));
}

std::string base64_text(Bytes bytes) {
  std::string out;
  out.reserve(bytes.size() * 4 / 3 + bytes.size() / 50 + 8);
  std::size_t in_line = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      v = v << 8 | (k < n ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    }
    if (in_line == kLineCharacters) {
      out += '\n';
      in_line = 0;
    }
    for (std::size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[v >> (18 - 6 * k) & 63] : '=';
    in_line += 4;
  }
  out += '\n';
  return out;
}

bool base64_bytes(std::string_view text, std::string* bytes) {
  bytes->clear();
  std::uint32_t v = 0;
  std::size_t have = 0;
  std::size_t pads = 0;
  for (char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '=') {
      ++pads;
      continue;
    }
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos || pads != 0) return false;
    v = v << 6 | static_cast<std::uint32_t>(digit);
    if (++have == 4) {
      for (int shift : {16, 8, 0}) bytes->push_back(static_cast<char>(v >> shift & 255));
      v = 0;
      have = 0;
    }
  }
  if (have == 1 || pads > 2 || (pads != 0 && have + pads != 4)) return false;
  if (have == 2) bytes->push_back(static_cast<char>(v >> 4 & 255));
  if (have == 3) {
    bytes->push_back(static_cast<char>(v >> 10 & 255));
    bytes->push_back(static_cast<char>(v >> 2 & 255));
  }
  return true;
}

void Json::comma() {
  if (!first_) text_ += ',';
  first_ = false;
}
Json& Json::open(char c) {
  comma();
  text_ += c;
  first_ = true;
  return *this;
}
Json& Json::close(char c) {
  text_ += c;
  first_ = false;
  return *this;
}
Json& Json::word(std::string_view w) {
  comma();
  text_ += w;
  return *this;
}
Json& Json::name(std::string_view n) {
  comma();
  quote(n);
  text_ += ':';
  first_ = true;
  return *this;
}
Json& Json::value(std::string_view v) {
  comma();
  quote(v);
  return *this;
}
void Json::quote(std::string_view s) { quote_json(&text_, s); }

void quote_json(std::string* out, std::string_view s) {
  *out += '"';
  for (std::size_t i = 0; i < s.size();) {
    const char c = s[i];
    const auto u = static_cast<unsigned char>(c);
    const std::size_t bytes = code_point_bytes(s.substr(i));
    if (bytes == 0) {
      *out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      *out += '\\';
      *out += c;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (u < 0x20 || u == 0x7f) {
      *out += "\\u00";
      *out += "0123456789abcdef"[u >> 4];
      *out += "0123456789abcdef"[u & 15];
    } else {
      out->append(s.substr(i, bytes));
    }
    i += bytes == 0 ? 1 : bytes;
  }
  *out += '"';
}

std::string node_list(const std::vector<NodeId>& ids) {
  std::string out = ids.size() == 1 ? "node " : "nodes ";
  for (std::size_t i = 0; i < ids.size(); i++) out += (i ? ", " : "") + std::to_string(ids[i]);
  return out;
}

}  // namespace ndb::mgmt
