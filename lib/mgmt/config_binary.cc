#include "mgmt/config_binary.h"

#include <algorithm>

#include "env/limits.h"
#include "mgmt/config_wire.h"

namespace ndb::mgmt {
namespace binary {
namespace {

constexpr Bytes kMagic1 = "NDBCONFV";
constexpr Bytes kMagic2 = "NDBCONF2";

// Version 2 numbers the kinds of sections so, in the order of the defaults.
constexpr Kind kKinds2[] = {Kind::ndbd, Kind::api, Kind::ndb_mgmd, Kind::tcp, Kind::shm, Kind::system};
constexpr std::uint32_t kDefaults = 5;

std::uint32_t number2(Kind k) {
  return static_cast<std::uint32_t>(std::find(std::begin(kKinds2), std::end(kKinds2), k) - kKinds2) + 1;
}

// Version 1.
constexpr std::uint32_t kKeyKind = 999;
constexpr std::uint32_t kKeyParent = 16382;
constexpr std::uint32_t kListSystem = 1000, kListNodes = 2000, kListLinks = 3000;
constexpr std::uint32_t kSectionShift = 14;
constexpr std::uint32_t kSections = 1u << 14;
constexpr std::uint32_t kKeyMask = kSections - 1;

std::optional<Kind> node_kind1(std::uint64_t n) {
  if (n > 2) return std::nullopt;
  constexpr Kind kinds[] = {Kind::ndbd, Kind::api, Kind::ndb_mgmd};
  return kinds[n];
}

std::uint32_t kind1(Kind k) {
  switch (k) {
    case Kind::ndbd:
    case Kind::tcp:
      return 0;
    case Kind::api:
    case Kind::shm:
      return 1;
    case Kind::ndb_mgmd:
      return 2;
    case Kind::system:
      return kListSystem;
  }
  return 0;
}

// What all items of a kind have, with the value that most of them have (of several, the least).
Entries common(const std::vector<Item>& items, Kind kind) {
  std::map<std::uint32_t, std::map<Value, std::size_t>> votes;
  std::size_t count = 0;
  for (const Item& i : items) {
    if (i.kind != kind) continue;
    count++;
    for (const auto& [key, value] : i.entries) votes[key][value]++;
  }
  Entries out;
  for (const auto& [key, values] : votes) {
    if (key == kKeyNodeId || key == kKeyNode1 || key == kKeyNode2) continue;
    std::size_t all = 0;
    auto best = values.begin();
    for (auto v = values.begin(); v != values.end(); ++v) {
      all += v->second;
      if (v->second > best->second) best = v;
    }
    if (all == count) out.emplace(key, best->first);
  }
  return out;
}

Entries without(const Entries& entries, const Entries& defaults) {
  Entries out;
  for (const auto& [key, value] : entries) {
    const auto d = defaults.find(key);
    if (d == defaults.end() || d->second != value) out.emplace(key, value);
  }
  return out;
}

void put_section2(std::string& out, Kind kind, const Entries& entries) {
  std::string body;
  for (const auto& [key, value] : entries) {
    put_word(body, static_cast<std::uint32_t>(value.type) << 28 | key);
    put_value(body, value, false);
  }
  put_word(out, static_cast<std::uint32_t>(body.size() / 4 + 3));
  put_word(out, static_cast<std::uint32_t>(entries.size()));
  put_word(out, number2(kind));
  out += body;
}

class Reader2 {
 public:
  explicit Reader2(Bytes body) : words_(body) {}

  Result<Image> read() {
    words_.next();  // the length, checked already
    if (words_.next() != 2) return malformed("not version 2");
    if (words_.next() != kDefaults) return malformed("not five sections of defaults");
    std::uint32_t nodes = 0;
    for (int i = 0; i < 3; i++) nodes += std::min(words_.next(), limits::kNodeIdMax + 1);
    const std::uint32_t links = words_.next();
    if (words_.bad() || nodes > limits::kNodeIdMax || links > limits::kNodeIdMax * limits::kNodeIdMax) {
      return malformed("more nodes or links than there can be");
    }
    for (std::uint32_t i = 0; i < kDefaults; i++) {
      if (!section() || item_.kind != kKinds2[i]) return malformed("a damaged section of defaults");
      defaults_[item_.kind] = item_.entries;
    }
    Image image;
    if (!section() || item_.kind != Kind::system) return malformed("a damaged section of the system");
    image.system = item_.entries;
    for (std::uint32_t i = 0; i < nodes; i++) {
      if (!section() || !is_node(item_.kind)) return malformed("a damaged section of a node");
      image.nodes.push_back(whole());
    }
    for (std::uint32_t i = 0; i < links; i++) {
      if (!section() || !is_link(item_.kind)) return malformed("a damaged section of a link");
      image.links.push_back(whole());
    }
    if (words_.left() != 0) return malformed("more than it says");
    return image;
  }

 private:
  bool section() {
    const std::size_t before = words_.left();
    const std::uint32_t length = words_.next(), count = words_.next(), kind = words_.next();
    if (words_.bad() || length < 3 || length > before || kind < 1 || kind > std::size(kKinds2)) return false;
    item_.kind = kKinds2[kind - 1];
    item_.entries.clear();
    for (std::uint32_t i = 0; i < count; i++) {
      const std::uint32_t word = words_.next();
      const auto type = static_cast<Type>(word >> 28);
      Value v;
      if (type == Type::section || !words_.entry_value(type, false, &v) || words_.bad()) return false;
      const std::uint32_t key = word & 0x0fffffffu;
      if (!find_parameter_by_key(item_.kind, key)) continue;
      if (!item_.entries.emplace(key, std::move(v)).second) return false;
    }
    return before - words_.left() == length;
  }

  Item whole() {
    Item out = item_;
    const Entries& d = defaults_[out.kind];
    out.entries.insert(d.begin(), d.end());
    return out;
  }

  Words words_;
  Item item_;
  std::map<Kind, Entries> defaults_;
};

class Writer1 {
 public:
  // `list` = the entry of section 0 that leads to these items.
  void put(std::uint32_t list, const std::vector<Item>& items) {
    const std::uint32_t index = sections_++;
    set(0, list, {Type::section, std::uint64_t{index} << kSectionShift, {}});
    for (std::size_t i = 0; i < items.size(); i++) {
      const std::uint32_t section = sections_++;
      set(index, static_cast<std::uint32_t>(i), {Type::number, std::uint64_t{section} << kSectionShift, {}});
      set(section, kKeyParent, {Type::number, 0, {}});
      set(section, kKeyKind, {Type::number, kind1(items[i].kind), {}});
      for (const auto& [key, value] : items[i].entries) set(section, key, value);
    }
  }

  Result<std::string> text() const {
    if (sections_ > kSections)
      return {Error::bad_definition, "version 1 of the binary configuration has no room for all links"};
    std::string out(kMagic1);
    for (const auto& [key, value] : all_) {
      put_word(out, static_cast<std::uint32_t>(value.type) << 28 | key);
      put_value(out, value, true);
    }
    put_word(out, exclusive_or(out));
    return out;
  }

 private:
  void set(std::uint32_t section, std::uint32_t key, Value v) {
    if (section < kSections) all_.emplace(section << kSectionShift | key, std::move(v));
  }

  std::uint32_t sections_ = 1;
  Entries all_;
};

class Reader1 {
 public:
  explicit Reader1(Bytes body) : words_(body) {}

  Result<Image> read() {
    while (words_.left() > 0) {
      const std::uint32_t word = words_.next();
      Value v;
      if (!words_.entry_value(static_cast<Type>(word >> 28), true, &v)) return malformed("a damaged entry");
      if (v.type == Type::section) v.type = Type::number;
      const std::uint32_t key = word & 0x0fffffffu;
      if (!sections_[key >> kSectionShift].emplace(key & kKeyMask, std::move(v)).second)
        return malformed("an entry twice");
    }
    Image image;
    std::vector<Item> systems;
    if (!items(kListSystem, &systems) || systems.size() != 1) return malformed("no section of the system");
    image.system = systems[0].entries;
    if (!items(kListNodes, &image.nodes) || !items(kListLinks, &image.links))
      return malformed("a damaged list of sections");
    return image;
  }

 private:
  std::optional<std::uint32_t> section_number(const Entries& from, std::uint32_t key) const {
    const auto it = from.find(key);
    if (it == from.end() || it->second.type != Type::number) return std::nullopt;
    return static_cast<std::uint32_t>(it->second.number >> kSectionShift) & kKeyMask;
  }

  bool items(std::uint32_t list, std::vector<Item>* out) {
    const auto at = section_number(sections_[0], list);
    if (!at) return list == kListLinks;  // a lone node has none
    const auto entries = *at == 0 ? decltype(sections_)::node_type() : sections_.extract(*at);
    if (!entries) return list == kListLinks;
    for (std::uint32_t i = 0; entries.mapped().count(i); i++) {
      const auto number = section_number(entries.mapped(), i);
      auto section = number ? sections_.extract(*number) : decltype(sections_)::node_type();
      if (!section) return false;  // not there, or used already
      Item item;
      item.entries = std::move(section.mapped());
      const auto kind = item.entries.find(kKeyKind);
      const std::uint64_t k = kind == item.entries.end() ? 0 : kind->second.number;
      if (list == kListNodes) {
        const auto node = node_kind1(k);
        if (!node) return false;
        item.kind = *node;
      } else if (list == kListLinks) {
        if (k > 1) return false;
        item.kind = k == 0 ? Kind::tcp : Kind::shm;
      }
      item.entries.erase(kKeyKind);
      item.entries.erase(kKeyParent);
      out->push_back(std::move(item));
    }
    return true;
  }

  Words words_;
  std::map<std::uint32_t, Entries> sections_;
};

}  // namespace

std::string write_v2(const Image& image) {
  std::map<Kind, Entries> defaults;
  std::map<Kind, std::uint32_t> count;
  for (Kind k : {Kind::ndbd, Kind::api, Kind::ndb_mgmd}) defaults[k] = common(image.nodes, k);
  for (Kind k : {Kind::tcp, Kind::shm}) defaults[k] = common(image.links, k);
  for (const Item& n : image.nodes) count[n.kind]++;
  std::string body;
  put_word(body, 2);
  put_word(body, kDefaults);
  for (Kind k : {Kind::ndbd, Kind::api, Kind::ndb_mgmd}) put_word(body, count[k]);
  put_word(body, static_cast<std::uint32_t>(image.links.size()));
  for (std::uint32_t i = 0; i < kDefaults; i++) put_section2(body, kKinds2[i], defaults[kKinds2[i]]);
  put_section2(body, Kind::system, image.system);
  for (const auto* list : {&image.nodes, &image.links}) {
    for (const Item& i : *list) put_section2(body, i.kind, without(i.entries, defaults[i.kind]));
  }
  std::string out(kMagic2);
  put_word(out, static_cast<std::uint32_t>(body.size() / 4 + 4));
  out += body;
  put_word(out, exclusive_or(out));
  return out;
}

Result<std::string> write_v1(const Image& image) {
  Writer1 w;
  w.put(kListSystem, {{Kind::system, image.system}});
  w.put(kListNodes, image.nodes);
  if (!image.links.empty()) w.put(kListLinks, image.links);
  return w.text();
}

Result<Image> read_v1(Bytes bytes) { return Reader1(bytes.substr(8, bytes.size() - 12)).read(); }

Result<Image> read_v2(Bytes bytes) {
  Words length(bytes.substr(8));
  if (length.next() != bytes.size() / 4) return malformed("not as long as it says");
  return Reader2(bytes.substr(8, bytes.size() - 12)).read();
}

}  // namespace binary

std::string encode_config_v2(const Config& config, NodeId for_node) {
  return binary::write_v2(binary::make_image(config, for_node));
}

Result<std::string> encode_config_v1(const Config& config, NodeId for_node) {
  return binary::write_v1(binary::make_image(config, for_node));
}

Result<Config> decode_config(Bytes bytes, bool stock) {
  if (bytes.size() > limits::kTextBulkBytesMax) return binary::malformed("too large");
  if (bytes.size() < 16 || bytes.size() % 4 != 0) return binary::malformed("cut off");
  const bool v1 = bytes.substr(0, 8) == binary::kMagic1;
  if (!v1 && bytes.substr(0, 8) != binary::kMagic2)
    return binary::malformed("does not begin with NDBCONF2 or NDBCONFV");
  if (binary::exclusive_or(bytes) != 0) return binary::malformed("the checksum is wrong");
  const Result<binary::Image> image = v1 ? binary::read_v1(bytes) : binary::read_v2(bytes);
  if (!image) return image.failure();
  return binary::make_config(*image, stock);
}

}  // namespace ndb::mgmt
