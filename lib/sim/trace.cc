#include "sim/trace.h"

#include <cstdio>

namespace ndb::sim {
namespace {
const char* kind_name(env::EventKind k) {
  switch (k) {
    case env::EventKind::start:
      return "start";
    case env::EventKind::link_up:
      return "link_up";
    case env::EventKind::link_down:
      return "link_down";
    case env::EventKind::no_link:
      return "no_link";
    case env::EventKind::frame:
      return "frame";
    case env::EventKind::text:
      return "text";
    case env::EventKind::timer:
      return "timer";
    case env::EventKind::stored:
      return "stored";
    case env::EventKind::stop:
      return "stop";
    case env::EventKind::parcel:
      return "parcel";
  }
  return "?";
}
}  // namespace

std::string time_text(Time t) {
  char b[40];
  std::snprintf(b, sizeof b, "%lld.%06lld", static_cast<long long>(t / kSecond),
                static_cast<long long>(t % kSecond / kMicrosecond));
  return b;
}

std::string Trace::format(const Line& l, const std::vector<std::string>& names) {
  std::string s = time_text(l.at) + "  ";
  s += l.process < names.size() ? names[l.process] : l.process == kNobody ? "--" : std::to_string(l.process);
  s.resize(s.size() < 24 ? 24 : s.size(), ' ');
  s += ' ';
  if (!l.text.empty()) return s + l.text;
  s += std::string(". ") + kind_name(l.kind);
  if (l.link) s += " link " + std::to_string(l.link);
  if (l.tag) s += " tag " + std::to_string(l.tag);
  if (l.type) s += " type " + std::to_string(l.type);
  if (l.bytes) s += " " + std::to_string(l.bytes) + " bytes";
  return s;
}

std::vector<std::string> Trace::last(std::size_t lines, const std::vector<std::string>& names) const {
  std::vector<std::string> out;
  std::size_t from = ring_.size() > lines ? ring_.size() - lines : 0;
  for (std::size_t i = from; i < ring_.size(); i++) out.push_back(format(ring_[i], names));
  return out;
}

}  // namespace ndb::sim
