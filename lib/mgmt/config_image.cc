#include "mgmt/config_image.h"

#include "base/check.h"
#include "env/limits.h"
#include "mgmt/config_raw.h"

namespace ndb::mgmt {
namespace {

Values worth_keeping(Kind kind, const Values& written, const Values& defaults, Values values) {
  std::erase_if(values, [&](const auto& v) {
    const Parameter* p = find_parameter(kind, v.first);
    return !(p && p->used()) && !written.count(v.first) && !defaults.count(v.first);
  });
  return values;
}

std::map<std::string, std::string> plain(const Values& v) { return {v.begin(), v.end()}; }

// Two digits, or four for the year.
void put(std::string& out, std::int64_t n, std::size_t digits) {
  std::string s = std::to_string(n);
  if (s.size() < digits) s.insert(0, digits - s.size(), '0');
  out += s;
}

}  // namespace

meta::NodeType node_type(Kind k) noexcept {
  NDB_CHECK(is_node(k));
  if (k == Kind::ndbd) return meta::NodeType::data;
  return k == Kind::api ? meta::NodeType::api : meta::NodeType::mgm;
}

Kind node_kind(meta::NodeType t) noexcept {
  if (t == meta::NodeType::data) return Kind::ndbd;
  return t == meta::NodeType::api ? Kind::api : Kind::ndb_mgmd;
}

meta::ConfigImage to_image(const Config& config, std::string text, std::string_view name) {
  meta::ConfigImage image;
  image.text = std::move(text);
  const auto written = config.system.find("Name");
  image.name = written == config.system.end() ? std::string(name) : written->second;
  image.replicas = replicas(config);
  image.system = plain(effective_system(config));
  image.system["Name"] = image.name;
  for (const Node& n : config.nodes) {
    meta::ConfigNode out;
    out.id = n.id;
    out.type = node_type(n.kind);
    out.host = effective(config, n, "HostName");
    out.disabled = in_reserve(config, n);
    if (n.kind == Kind::ndbd) {
      out.has_group_wish = out.disabled || !written_value(config, n, "NodeGroup").empty();
      out.wished_group = out.has_group_wish ? n.group : kNoGroup;
    }
    const auto defaults = config.defaults.find(n.kind);
    static const Values kNone;
    out.values = plain(worth_keeping(n.kind, n.written, defaults == config.defaults.end() ? kNone : defaults->second,
                                     effective_values(config, n)));
    image.nodes.push_back(std::move(out));
  }
  return image;
}

ParseResult from_image(const meta::ConfigImage& image) {
  ParseResult r = parse_any(image.text);
  if (!image.name.empty()) r.config.system["Name"] = image.name;
  return r;
}

std::string default_cluster_name(std::int64_t seconds) {
  constexpr std::int64_t kDay = 86400;
  std::int64_t days = seconds / kDay, rest = seconds % kDay;
  if (rest < 0) {
    rest += kDay;
    days--;
  }
  // Civil date from days, by the usual shift of the year to March.
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t shifted = (5 * doy + 2) / 153;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  std::string out = "MC_";
  put(out, yoe + era * 400 + (month <= 2 ? 1 : 0), 4);
  put(out, month, 2);
  put(out, doy - (153 * shifted + 2) / 5 + 1, 2);
  put(out, rest / 3600, 2);
  put(out, rest / 60 % 60, 2);
  put(out, rest % 60, 2);
  return out;
}

}  // namespace ndb::mgmt
