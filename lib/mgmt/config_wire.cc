#include "mgmt/config_wire.h"

#include <algorithm>
#include <set>

#include "mgmt/config_raw.h"

namespace ndb::mgmt::binary {
namespace {

std::size_t word_index(std::string_view words, std::string_view word) {
  std::size_t i = 0;
  while (words.substr(0, words.find('|')) != word && words.find('|') != std::string_view::npos) {
    words.remove_prefix(words.find('|') + 1);
    i++;
  }
  return i;
}

std::optional<std::string> word_at(std::string_view words, std::uint64_t index) {
  for (; index > 0; index--) {
    if (words.find('|') == std::string_view::npos) return std::nullopt;
    words.remove_prefix(words.find('|') + 1);
  }
  return std::string(words.substr(0, words.find('|')));
}

Entries entries_of(Kind kind, const Values& values) {
  Entries out;
  for (const auto& [name, text] : values) {
    const Parameter* p = find_parameter(kind, name);
    if (!p || p->key == 0) continue;
    Value v;
    switch (p->type) {
      case ValueType::text:
      case ValueType::cpus:
        v.type = Type::text;
        v.text = text;
        break;
      case ValueType::word:
        v.number = word_index(p->words, text);
        break;
      case ValueType::integer:
      case ValueType::size:
      case ValueType::boolean:
        v.number = to_number(text);
        if (p->most > 0xffffffffu) v.type = Type::wide;
        break;
    }
    out.emplace(p->key, std::move(v));
  }
  return out;
}

// The canonical text of a value; empty when it does not fit the parameter.
std::optional<std::string> text_of(const Parameter& p, const Value& v) {
  const bool textual = p.type == ValueType::text || p.type == ValueType::cpus;
  if (textual != (v.type == Type::text)) return std::nullopt;
  if (textual) {
    std::string why;
    return parse_value(p, v.text, &why);
  }
  if (p.type == ValueType::word) return word_at(p.words, v.number);
  if (p.type == ValueType::boolean && v.number > 1) return std::nullopt;
  if (v.number > 0xffffffffu && p.most <= 0xffffffffu) return std::nullopt;
  return std::to_string(v.number);
}

std::optional<Failure> values_of(Kind kind, const Entries& entries, Values* out) {
  for (const auto& [key, value] : entries) {
    const Parameter* p = find_parameter_by_key(kind, key);
    if (!p) continue;
    const auto text = text_of(*p, value);
    if (!text) return malformed("a value of " + std::string(p->name) + " that it cannot have");
    out->emplace(p->name, *text);
  }
  return std::nullopt;
}

class ConfigMaker {
 public:
  explicit ConfigMaker(bool stock) { config_.stock = stock; }

  Result<Config> make(const Image& image) {
    if (auto f = values_of(Kind::system, image.system, &config_.system)) return *f;
    std::erase_if(config_.system,
                  [](const auto& v) { return v.second == find_parameter(Kind::system, v.first)->default_value; });
    for (const Item& n : image.nodes) {
      if (auto f = add_node(n)) return *f;
    }
    std::sort(config_.nodes.begin(), config_.nodes.end(), [](const Node& a, const Node& b) { return a.id < b.id; });
    assign_groups(config_);
    for (Node& n : config_.nodes) {
      forget_defaults(n);
      if (n.kind == Kind::ndbd) n.written["NodeGroup"] = std::to_string(n.group);
    }
    for (const Item& l : image.links) {
      if (auto f = add_link(l)) return *f;
    }
    std::sort(config_.links.begin(), config_.links.end(),
              [](const Link& a, const Link& b) { return std::pair(a.node1, a.node2) < std::pair(b.node1, b.node2); });
    return std::move(config_);
  }

 private:
  static std::uint64_t number(const Entries& e, std::uint32_t key) {
    const auto it = e.find(key);
    return it == e.end() || it->second.type != Type::number ? 0 : it->second.number;
  }

  std::optional<Failure> add_node(const Item& item) {
    const Parameter* id = find_parameter(item.kind, "NodeId");
    Node n;
    n.kind = item.kind;
    const std::uint64_t value = number(item.entries, kKeyNodeId);
    if (value < id->least || value > id->most) return malformed("a node id out of range");
    n.id = static_cast<NodeId>(value);
    if (!ids_.insert(n.id).second) return malformed("node " + std::to_string(n.id) + " twice");
    if (auto f = values_of(n.kind, item.entries, &n.written)) return f;
    n.written.erase("NodeId");
    // Made from MaxNoOfExecutionThreads by NDB's server, not by a user.
    if (n.kind == Kind::ndbd && number(item.entries, 186) != 0) n.written.erase("ThreadConfig");
    config_.nodes.push_back(std::move(n));
    return std::nullopt;
  }

  void forget_defaults(Node& n) {
    const Values all = n.written;
    for (const auto& [name, value] : all) {
      if (name == "NodeGroup") continue;
      n.written.erase(name);
      if (effective(config_, n, name) != value) n.written[name] = value;
    }
  }

  std::optional<Failure> add_link(const Item& item) {
    Link l;
    l.kind = item.kind;
    const std::uint64_t one = number(item.entries, kKeyNode1), two = number(item.entries, kKeyNode2);
    if (one > 0xffff || two > 0xffff) return malformed("a link with a node id out of range");
    l.node1 = static_cast<NodeId>(one);
    l.node2 = static_cast<NodeId>(two);
    const Node* a = config_.find(l.node1);
    const Node* b = config_.find(l.node2);
    if (!a || !b || a == b) return malformed("a link without two nodes");
    if (!may_link(a->kind, b->kind)) return malformed("a link between nodes that have none");
    if (auto f = values_of(l.kind, item.entries, &l.written)) return f;
    l.written.erase("NodeId1");
    l.written.erase("NodeId2");
    orient(l, a->kind, b->kind);
    if (!pairs_.emplace(l.node1, l.node2).second) return malformed("a link twice");
    const Values all = l.written;
    const Values rest = effective_values(config_, Link{l.kind, l.node1, l.node2, {}});
    for (const auto& [name, value] : all) {
      const auto it = rest.find(name);
      if (it != rest.end() && it->second == value) l.written.erase(name);
    }
    if (!l.written.empty() || l.kind != Kind::tcp) config_.links.push_back(std::move(l));
    return std::nullopt;
  }

  Config config_;
  std::set<NodeId> ids_;
  std::set<std::pair<NodeId, NodeId>> pairs_;
};

}  // namespace

Image make_image(const Config& c, NodeId for_node) {
  Image image;
  image.system = entries_of(Kind::system, effective_system(c));
  for (const Node& n : c.nodes) image.nodes.push_back({n.kind, entries_of(n.kind, effective_values(c, n))});
  const Node* receiver = c.find(for_node);
  const bool all = !receiver || receiver->kind == Kind::ndb_mgmd;
  for (const Link& l : all_links(c)) {
    if (!all && l.node1 != for_node && l.node2 != for_node) continue;
    Values values = effective_values(c, l);
    for (const char* host : {"HostName1", "HostName2"}) {  // of a node that may be anywhere
      if (values[host].empty() && !l.written.count(host)) values.erase(host);
    }
    image.links.push_back({l.kind, entries_of(l.kind, values)});
  }
  return image;
}

Result<Config> make_config(const Image& image, bool stock) { return ConfigMaker(stock).make(image); }

std::uint32_t Words::next() {
  if (bytes_.size() < 4) {
    bad_ = true;
    bytes_ = {};
    return 0;
  }
  std::uint32_t w = 0;
  for (std::size_t i = 0; i < 4; i++) w = w << 8 | static_cast<unsigned char>(bytes_[i]);
  bytes_.remove_prefix(4);
  return w;
}

bool Words::text(std::uint32_t length, std::size_t padded, std::string* out) {
  if (length == 0 || padded > bytes_.size()) {
    bad_ = true;
    bytes_ = {};
    return false;
  }
  *out = std::string(bytes_.substr(0, length - 1));
  const bool good = bytes_.substr(length - 1, padded - length + 1).find_first_not_of('\0') == Bytes::npos &&
                    out->find('\0') == std::string::npos;
  bytes_.remove_prefix(padded);
  return good;
}

namespace {
std::size_t padded_size(std::size_t length, bool old_padding) {
  return old_padding ? length + (4 - length % 4) : (length + 3) / 4 * 4;
}
}  // namespace

bool Words::entry_value(Type type, bool old_padding, Value* out) {
  out->type = type;
  switch (type) {
    case Type::number:
    case Type::section:
      out->number = next();
      return !bad_;
    case Type::wide:
      out->number = next();
      out->number = out->number << 32 | next();
      return !bad_;
    case Type::text: {
      const std::uint32_t length = next();
      return text(length, padded_size(length, old_padding), &out->text);
    }
  }
  return false;
}

void put_word(std::string& out, std::uint32_t w) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(w >> shift & 0xff);
}

void put_value(std::string& out, const Value& v, bool old_padding) {
  switch (v.type) {
    case Type::number:
    case Type::section:
      put_word(out, static_cast<std::uint32_t>(v.number));
      return;
    case Type::wide:
      put_word(out, static_cast<std::uint32_t>(v.number >> 32));
      put_word(out, static_cast<std::uint32_t>(v.number));
      return;
    case Type::text: {
      const std::size_t length = v.text.size() + 1;
      put_word(out, static_cast<std::uint32_t>(length));
      out += v.text;
      out.append(padded_size(length, old_padding) - v.text.size(), '\0');
      return;
    }
  }
}

std::uint32_t exclusive_or(Bytes words) {
  Words w(words);
  std::uint32_t sum = 0;
  for (std::size_t n = words.size() / 4; n > 0; n--) sum ^= w.next();
  return sum;
}

}  // namespace ndb::mgmt::binary
