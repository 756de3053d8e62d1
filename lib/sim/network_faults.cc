// Connecting, cuts, breaks, and what the death of a process does to its connections.
#include "env/limits.h"
#include "sim/network.h"
#include "sim/world.h"

namespace ndb::sim {
namespace {
constexpr Time kDialRetry = 200 * kMillisecond;
constexpr Time kRetransmit = 200 * kMillisecond;  // most until a healed connection moves again
}  // namespace

// --- connecting

void Network::dial(ProcessId from, const env::Outbox::Connect& wish) {
  std::uint32_t slot;
  if (free_dials_.empty()) {
    slot = static_cast<std::uint32_t>(dials_.size());
    dials_.emplace_back();
  } else {
    slot = free_dials_.back();
    free_dials_.pop_back();
  }
  dials_[slot] = {true, from, world_.life(from), wish, world_.now() + limits::kConnectTimeout};
  world_.push(world_.now() + draw_delay(from, from), World::Kind::dial, slot, 0, 0);
}

void Network::dial_due(std::uint32_t slot) {
  Dial d = dials_[slot];
  auto done = [&] {
    dials_[slot].used = false;
    free_dials_.push_back(slot);
  };
  if (!world_.running(d.from) || world_.life(d.from) != d.from_life) return done();
  ProcessId host = world_.find_host(d.wish.host, 0);
  if (host == kNobody) {  // no such name
    done();
    return no_link(d, false);
  }
  ProcessId to = world_.find_host(d.wish.host, d.wish.port);
  ProcessId there = to == kNobody ? host : to;
  if (!world_.powered(there) || is_cut(d.from, there) || is_cut(there, d.from)) {
    if (world_.now() >= d.deadline) {
      done();
      return no_link(d, false);
    }
    Time wait = static_cast<Time>(prng_.below(kDialRetry)) + kMillisecond;
    world_.push(world_.now() + wait, World::Kind::dial, slot, 0, 0);
    return;
  }
  done();
  if (to == kNobody || !world_.running(to)) return no_link(d, true);
  bool text = false;
  for (const auto& p : world_.spec(to).ports) {
    if (p.port == d.wish.port) text = p.text;
  }
  open(d, to, text);
}

void Network::no_link(const Dial& d, bool refused) {
  env::Event e;
  e.kind = env::EventKind::no_link;
  e.tag = d.wish.tag;
  e.refused = refused;
  world_.deliver_plain(d.from, e);
}

void Network::open(const Dial& d, ProcessId to, bool text) {
  std::uint32_t index;
  if (free_connections_.empty()) {
    index = static_cast<std::uint32_t>(connections_.size());
    connections_.emplace_back();
  } else {
    index = free_connections_.back();
    free_connections_.pop_back();
  }
  Connection& c = connections_[index];
  c.used = true;
  c.bytes_mode = text || d.wish.text;
  c.end[0].process = d.from;
  c.end[0].tag = d.wish.tag;
  c.end[0].text_in = c.end[0].text_out = d.wish.text;
  c.end[0].peer = d.wish.host + ":" + std::to_string(d.wish.port);
  c.end[1].process = to;
  c.end[1].text_in = c.end[1].text_out = text;
  c.end[1].peer = world_.spec(d.from).host + ":" + std::to_string(next_port_);
  next_port_ = next_port_ == 60000 ? 40000 : next_port_ + 1;
  push(index, 0, Item::Kind::up, {});
  push(index, 1, Item::Kind::up, {});
}

// --- cuts and breaks

bool Network::is_cut(ProcessId from, ProcessId to) const {
  if (cuts_.empty()) return false;
  auto i = cuts_.find({from, to});
  return i != cuts_.end() && i->second > 0;
}

void Network::cut(ProcessId from, ProcessId to) {
  if (from != to) cuts_[{from, to}]++;
}

void Network::heal(ProcessId from, ProcessId to) {
  auto cut = cuts_.find({from, to});
  if (cut == cuts_.end()) return;
  if (--cut->second > 0) return;
  cuts_.erase(cut);
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    Connection& c = connections_[i];
    if (!c.used) continue;
    for (unsigned d = 0; d < 2; d++) {
      ProcessId a = c.end[d].process, b = c.end[1 - d].process;
      if (!((a == from && b == to) || (a == to && b == from))) continue;
      Pipe& p = c.pipe[d];
      if (!is_cut(b, a) && !is_cut(a, b)) p.unacked = false;
      if (!p.stalled || is_cut(a, b)) continue;
      p.stalled = false;
      Time at = world_.now() + static_cast<Time>(prng_.below(kRetransmit));
      for (Item& item : p.items) item.at = item.at < at ? at : item.at;
      if (p.last < at) p.last = at;
      schedule(i, d);
    }
  }
}

void Network::heal_all() {
  slow_.clear();
  while (!cuts_.empty()) {
    auto [from, to] = cuts_.begin()->first;
    cuts_.begin()->second = 1;
    heal(from, to);
  }
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    for (unsigned e = 0; e < 2; e++) {
      if (connections_[i].used && connections_[i].end[e].half_open) reset_by_peer(i, e, kSecond);
    }
  }
}

std::size_t Network::break_links(ProcessId a, ProcessId b, double chance) {
  std::size_t broken = 0;
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    Connection& c = connections_[i];
    if (!c.used || c.end[0].lost) continue;
    ProcessId x = c.end[0].process, y = c.end[1].process;
    if (!((x == a && y == b) || (x == b && y == a)) || !prng_.chance(chance)) continue;
    broken++;
    for (unsigned d = 0; d < 2; d++) {
      truncate_tail(c.pipe[d]);
      push(i, d, Item::Kind::down, {});
      c.end[d].lost = true;
    }
  }
  return broken;
}

// --- death and return

void Network::process_gone(ProcessId p, bool power_lost) {
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    Connection& c = connections_[i];
    for (unsigned e = 0; e < 2 && c.used; e++) {
      if (c.end[e].process != p || c.end[e].gone) continue;
      Pipe& out = c.pipe[e];
      if (power_lost || prng_.chance(0.5)) truncate_tail(out);
      if (!c.end[1 - e].gone) {
        if (power_lost) {
          c.end[1 - e].half_open = true;
          reset_by_peer(i, 1 - e, settings.keep_alive_most);
        } else if (!c.end[e].closing && !c.end[e].lost) {
          push(i, e, Item::Kind::down, {});
        }
      }
      c.end[e].closing = power_lost;  // a host without power answers nothing, not even with a reset
      end_gone(i, e);
    }
  }
}

void Network::process_back(ProcessId p) {
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    Connection& c = connections_[i];
    for (unsigned e = 0; e < 2 && c.used; e++) {
      if (c.end[e].process == p && c.end[e].gone && c.end[1 - e].half_open) reset_by_peer(i, 1 - e, kSecond / 4);
    }
  }
}

void Network::process_resumed(ProcessId p) {
  for (std::uint32_t i = 0; i < connections_.size(); i++) {
    Connection& c = connections_[i];
    for (unsigned e = 0; e < 2 && c.used; e++) {
      if (c.end[e].process != p || c.end[e].gone) continue;
      schedule(i, 1 - e);
      if (!c.end[e].in.empty()) {
        world_.after(0, [this, i, life = c.life, e] { deliver_input(i, life, e); });
      }
    }
  }
}

}  // namespace ndb::sim
