#include "sim/network.h"

#include <algorithm>

#include "env/limits.h"
#include "sim/world.h"
#include "wire/frame.h"

namespace ndb::sim {
namespace {
constexpr std::size_t kKernelBuffer = std::size_t{256} << 10;
constexpr Time kLinger = 1 * kMillisecond;  // most until a machine's own close() is answered with link_down
}  // namespace

Network::Network(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}

Network::Connection* Network::get(std::uint32_t connection, std::uint32_t life) {
  Connection& c = connections_[connection];
  return c.used && c.life == life ? &c : nullptr;
}

Network::Connection* Network::find(ProcessId p, env::LinkId link, unsigned* end) {
  const auto& links = world_.processes_[p]->links;
  if (link == 0 || link >= links.size() || !links[link].used) return nullptr;
  *end = links[link].end;
  Connection& c = connections_[links[link].connection];
  return c.used && c.end[*end].link == link && c.end[*end].process == p ? &c : nullptr;
}

std::size_t Network::links() const {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), [](const Connection& c) { return c.used; }));
}

Time Network::draw_delay(ProcessId from, ProcessId to) {
  auto draw = [this](Time least, Time most) {
    return least + static_cast<Time>(prng_.below(static_cast<std::uint64_t>(most - least) + 1));
  };
  Time d = draw(settings.delay_least, settings.delay_most);
  if (settings.spike_chance > 0 && prng_.chance(settings.spike_chance)) {
    d = draw(settings.delay_least, settings.spike_most);
  }
  if (!slow_.empty()) {
    for (ProcessId p : {from, to}) {
      auto i = slow_.find(p);
      if (i != slow_.end()) d += draw(0, i->second);
    }
  }
  return d;
}

// --- pipes

void Network::push(std::uint32_t connection, unsigned direction, Item::Kind kind, std::string data, Epoch epoch) {
  Connection& c = connections_[connection];
  Pipe& p = c.pipe[direction];
  Time at = world_.now() + draw_delay(c.end[direction].process, c.end[1 - direction].process) +
            static_cast<Time>(data.size());
  if (at < p.last) at = p.last;
  p.last = at;
  p.bytes += data.size();
  p.items.push_back({kind, at, epoch, std::move(data)});
  schedule(connection, direction);
}

void Network::schedule(std::uint32_t connection, unsigned direction) {
  Connection& c = connections_[connection];
  Pipe& p = c.pipe[direction];
  if (p.scheduled || p.stalled || p.items.empty()) return;
  p.scheduled = true;
  world_.push(std::max(p.items.front().at, world_.now()), World::Kind::pipe, connection, c.life, direction);
}

void Network::pipe_due(std::uint32_t connection, std::uint32_t life, unsigned direction) {
  Connection* c = get(connection, life);
  if (!c) return;
  Pipe& p = c->pipe[direction];
  p.scheduled = false;
  if (p.items.empty()) return;
  End& from = c->end[direction];
  End& to = c->end[1 - direction];
  if (to.gone) {  // nobody there any more: a reset goes back, unless the end left in good order
    p.items.clear();
    p.bytes = 0;
    if (!to.closing && !from.gone) reset_by_peer(connection, direction, settings.delay_most);
    return;
  }
  if (p.items.front().at > world_.now()) return schedule(connection, direction);
  if (is_cut(from.process, to.process)) {
    p.stalled = true;
    await_acknowledgement(connection, direction);
    update_backlog(*c, direction);
    return;
  }
  if (is_cut(to.process, from.process)) await_acknowledgement(connection, direction);
  if (world_.paused(to.process)) return;  // process_resumed() schedules it again
  Item item = std::move(p.items.front());
  p.items.pop_front();
  p.bytes -= item.data.size();
  schedule(connection, direction);
  switch (item.kind) {
    case Item::Kind::up:
      deliver_up(connection, 1 - direction);
      break;
    case Item::Kind::bytes:
      deliver_bytes(connection, 1 - direction, item);
      break;
    case Item::Kind::down:
      end_down(connection, life, 1 - direction);
      break;
  }
}

void Network::await_acknowledgement(std::uint32_t connection, unsigned direction) {
  Connection& c = connections_[connection];
  Pipe& p = c.pipe[direction];
  if (p.unacked) return;
  p.unacked = true;
  p.stalls++;
  auto span = static_cast<std::uint64_t>(settings.give_up_most - settings.give_up_least);
  Time t = settings.give_up_least + static_cast<Time>(prng_.below(span + 1));
  world_.after(t, [this, connection, life = c.life, direction, stalls = p.stalls] {
    give_up(connection, life, direction, stalls);
  });
}

void Network::give_up(std::uint32_t connection, std::uint32_t life, unsigned direction, std::uint64_t stalls) {
  Connection* c = get(connection, life);
  if (!c || !c->pipe[direction].unacked || c->pipe[direction].stalls != stalls) return;
  c->pipe[direction].items.clear();
  c->pipe[direction].bytes = 0;
  c->pipe[direction].stalled = c->pipe[direction].unacked = false;
  End& other = c->end[1 - direction];
  if (!other.gone) {
    other.half_open = true;
    reset_by_peer(connection, 1 - direction, settings.keep_alive_most);
  }
  end_down(connection, life, direction);
}

// This end will see link_down within that time.
void Network::reset_by_peer(std::uint32_t connection, unsigned end, Time within) {
  Time t = static_cast<Time>(prng_.below(static_cast<std::uint64_t>(within) + 1));
  world_.after(t, [this, connection, life = connections_[connection].life, end] { end_down(connection, life, end); });
}

void Network::truncate_tail(Pipe& p) {
  std::size_t keep = prng_.below(p.items.size() + 1);
  while (p.items.size() > keep && p.items.back().kind == Item::Kind::bytes) {
    p.bytes -= p.items.back().data.size();
    p.items.pop_back();
  }
}

// --- ends

void Network::end_down(std::uint32_t connection, std::uint32_t life, unsigned end) {
  Connection* c = get(connection, life);
  if (!c || c->end[end].gone) return;
  End& e = c->end[end];
  if (world_.paused(e.process)) {  // the kernel knows, the process will see it when it goes on
    world_.after(kMillisecond, [this, connection, life, end] { end_down(connection, life, end); });
    return;
  }
  env::Event event;
  ProcessId process = e.process;
  bool never_up = e.link == 0;
  event.kind = never_up ? env::EventKind::no_link : env::EventKind::link_down;
  event.link = e.link;
  event.tag = never_up ? e.tag : 0;
  end_gone(connection, end);
  if (never_up && end == 1) return;  // an accepted connection that its process never heard of
  if (!never_up && world_.link_of_part(process, event.link)) return world_.link_event(process, event);
  world_.step_process(process, event);
  if (event.link && world_.running(process) && event.link < world_.processes_[process]->links.size() &&
      world_.processes_[process]->links[event.link].connection == connection) {
    world_.free_link(process, event.link);
  }
}

void Network::end_gone(std::uint32_t connection, unsigned end) {
  Connection& c = connections_[connection];
  c.end[end].gone = true;
  if (!c.end[1 - end].gone) return;
  std::uint32_t life = c.life + 1;
  c = Connection();
  c.life = life;
  free_connections_.push_back(connection);
}

void Network::deliver_up(std::uint32_t connection, unsigned end) {
  End& e = connections_[connection].end[end];
  e.link = world_.take_link(e.process, connection, end);
  std::string peer = e.peer;
  env::Event event;
  event.kind = env::EventKind::link_up;
  event.link = e.link;
  event.tag = e.tag;
  event.data = peer;
  event.text = e.text_in;
  world_.step_process(e.process, event);
}

void Network::deliver_bytes(std::uint32_t connection, unsigned end, const Item& item) {
  Connection& c = connections_[connection];
  End& e = c.end[end];
  update_backlog(c, 1 - end);
  if (e.closing) return;
  if (c.bytes_mode) {
    e.in += item.data;
    return deliver_input(connection, c.life, end);
  }
  env::Event event;
  event.kind = env::EventKind::frame;
  event.link = e.link;
  event.data = item.data;
  event.epoch = item.epoch;
  if (prng_.chance(settings.seal_chance)) {
    std::string wire(wire::kFrameHeaderBytes, '\0');
    wire += item.data;
    wire::seal_frame(wire.data(), item.data, item.epoch);
    wire::FrameHeader h{};
    NDB_CHECK(wire::open_frame(wire, &h) == wire::FrameState::whole);
    NDB_CHECK(h.payload_bytes == item.data.size() && h.epoch == item.epoch);
  }
  world_.link_event(e.process, event);
}

// Text is cut anywhere; frames are taken whole. The machine may do anything in between, even die.
void Network::deliver_input(std::uint32_t connection, std::uint32_t life, unsigned end) {
  while (true) {
    Connection* c = get(connection, life);
    if (!c) return;
    End& e = c->end[end];
    if (e.gone || e.closing || e.in.empty() || world_.paused(e.process)) return;
    env::Event event;
    event.link = e.link;
    std::string data;
    if (e.text_in) {
      std::size_t n = std::min(e.in.size(), limits::kReceiveBytes);
      if (prng_.chance(0.2)) n = 1 + prng_.below(n);
      data = e.in.substr(0, n);
      e.in.erase(0, n);
      event.kind = env::EventKind::text;
      event.data = data;
      e.upgraded_now = false;
      world_.step_process(e.process, event);
      c = get(connection, life);
      if (!c || c->end[end].gone) return;
      if (c->end[end].upgraded_now) {
        std::size_t used = std::min(c->end[end].upgrade_consumed, data.size());
        c->end[end].in.insert(0, data.substr(used));
      }
      continue;
    }
    wire::FrameHeader h{};
    wire::FrameState state = wire::open_frame(e.in, &h);
    if (state == wire::FrameState::incomplete) return;
    if (state == wire::FrameState::damaged) {
      world_.remark(world_.name(e.process) + ": damaged frame, link " + std::to_string(e.link));
      return close(e.process, e.link);
    }
    data = e.in.substr(wire::kFrameHeaderBytes, h.payload_bytes);
    e.in.erase(0, wire::kFrameHeaderBytes + h.payload_bytes);
    event.kind = env::EventKind::frame;
    event.data = data;
    event.epoch = h.epoch;
    world_.step_process(e.process, event);
  }
}

// --- what machines want

void Network::send(ProcessId from, env::LinkId link, Bytes bytes, Epoch epoch) {
  unsigned end = 0;
  Connection* c = find(from, link, &end);
  if (!c || c->end[end].gone || c->end[end].closing || c->end[end].lost) return;
  auto index = world_.processes_[from]->links[link].connection;
  if (c->end[end].text_out) {
    push(index, end, Item::Kind::bytes, std::string(bytes));
  } else {
    if (on_send) report_messages(from, c->end[1 - end].process, bytes);
    send_payload(index, end, bytes, epoch);
  }
  update_backlog(*c, end);
  if (c->pipe[end].bytes > limits::kUnsentBytesMax) close(from, link);
}

void Network::send_payload(std::uint32_t connection, unsigned end, Bytes payload, Epoch epoch) {
  Connection& c = connections_[connection];
  while (!payload.empty()) {
    Bytes part = payload;
    bool split = prng_.chance(settings.split_chance);
    if (split || payload.size() > limits::kReceiveBytes) {
      std::size_t most = split ? 1 + prng_.below(payload.size()) : limits::kReceiveBytes;
      Bytes rest = payload;
      wire::Message m;
      bool damaged = false;
      while (wire::next_message(rest, &m, &damaged) && payload.size() - rest.size() < most) {
      }
      if (!damaged) part = payload.substr(0, payload.size() - rest.size());
    }
    payload.remove_prefix(part.size());
    std::string data;
    if (c.bytes_mode) {
      data.resize(wire::kFrameHeaderBytes);
      wire::seal_frame(data.data(), part, epoch);
    }
    data += part;
    push(connection, end, Item::Kind::bytes, std::move(data), epoch);
  }
}

void Network::report_messages(ProcessId from, ProcessId to, Bytes payload) {
  wire::Message m;
  bool damaged = false;
  while (wire::next_message(payload, &m, &damaged)) on_send(from, to, m.type);
}

void Network::close(ProcessId from, env::LinkId link) {
  unsigned end = 0;
  Connection* c = find(from, link, &end);
  if (!c || c->end[end].gone || c->end[end].closing) return;
  auto index = world_.processes_[from]->links[link].connection;
  c->end[end].closing = true;
  if (!c->end[end].lost) push(index, end, Item::Kind::down, {});
  reset_by_peer(index, end, kLinger);
}

void Network::upgrade(ProcessId from, env::LinkId link, std::size_t consumed) {
  unsigned end = 0;
  Connection* c = find(from, link, &end);
  if (!c || c->end[end].gone || !c->end[end].text_in) return;
  c->end[end].text_in = c->end[end].text_out = false;
  c->end[end].upgraded_now = true;
  c->end[end].upgrade_consumed = consumed;
}

void Network::update_backlog(const Connection& c, unsigned direction) {
  const End& e = c.end[direction];
  if (e.gone || e.link == 0 || !world_.running(e.process)) return;
  std::size_t bytes = c.pipe[direction].bytes;
  bool held = c.pipe[direction].stalled || world_.paused(c.end[1 - direction].process);
  world_.outbox_of(e.process, e.link).slot(e.link).unsent = held && bytes > kKernelBuffer ? bytes - kKernelBuffer : 0;
}

}  // namespace ndb::sim
