#include "client/machine.h"

#include <algorithm>

#include "base/check.h"

namespace ndb::client {

ClientMachine::ClientMachine(ClientOptions options) : options_(std::move(options)), prng_(options_.seed) {
  NDB_CHECK(options_.session != 0);
  NDB_CHECK(options_.slots > 0 && options_.slots <= limits::kClientSlotsMax);
  for (std::uint32_t i = options_.slots; i-- > 0;) free_.push_back(i);
  slots_.resize(options_.slots);
  in_doubt_.resize(limits::kClientWritesMax);
  if (options_.catalog) {
    catalog_ = options_.catalog;
    routing_ = std::make_unique<Routing>(*catalog_);
  } else {
    refresh_now_ = true;
  }
}

ClientMachine::~ClientMachine() = default;

void ClientMachine::step(Time now, const env::Event& event, env::Outbox& out) {
  // A clock of Lamport's, like a node's: what is asked for after an answer is not in an earlier epoch than that one.
  if (event.kind == env::EventKind::frame && event.epoch > epoch_) epoch_ = event.epoch;
  out.epoch = epoch_;
  switch (event.kind) {
    case env::EventKind::link_up:
      on_link_up(now, event, out);
      break;
    case env::EventKind::link_down:
      on_link_down(now, event, out);
      break;
    case env::EventKind::no_link:
      on_no_link(now, event, out);
      break;
    case env::EventKind::frame:
      on_frame(now, event, out);
      break;
    case env::EventKind::text:
      if (event.link == management_link_) on_management_text(now, event.data, out);
      break;
    default:
      break;
  }
  flush(now, out);
}

void ClientMachine::flush(Time now, env::Outbox& out) {
  if (now >= next_tick_) tick(now, out);
  if (!ready_.empty()) {
    ready_now_.swap(ready_);
    for (Handle h : ready_now_) {
      Slot& s = *slots_[h];
      if (s.state != SlotState::ready) continue;
      if (s.deadline == 0) s.deadline = now + options_.deadline;
      if (s.only_asks) {
        ask_outcome(s, h, now, out);
      } else if (!try_send(s, h, now, out) && s.state == SlotState::ready) {
        pause(s, now, SlotState::pausing);
      }
    }
    ready_now_.clear();
  }
  while (!scans_ready_.empty()) {
    ScanHandle h = scans_ready_.back();
    scans_ready_.pop_back();
    if (scans_[h]->used) flush_scan(*scans_[h], h, now, out);
  }
  for (const auto& [link, cursor] : scans_to_close_) {
    if (link >= link_end_.size() || link_end_[link].node == 0) continue;
    Writer& w = out.link(link);
    auto at = wire::begin_message(w, wire::Type::scan_close, cursor.first, 0);
    w.put(wire::ScanNext{0, cursor.second});
    wire::end_message(w, at);
  }
  scans_to_close_.clear();
  if (refresh_now_ || refresh_wanted_) look_for_catalog(now, out);
  connect_peers(now, out);
  // A tick is needed while anything is open or looked for.
  if (anything_open() || refresh_wanted_ || management_ != Management::idle || earliest_try_ != kNever)
    out.wake_at(next_tick_);
}

bool ClientMachine::anything_open() const {
  return in_use_ > 0 || std::any_of(scans_.begin(), scans_.end(), [](const auto& s) { return s->used; });
}

void ClientMachine::on_frame(Time now, const env::Event& e, env::Outbox& out) {
  Peer* p = peer_of_link(e.link);
  if (p == nullptr) return;
  p->silent = false;
  Bytes payload = e.data;
  wire::Message m;
  bool damaged = false;
  const NodeId node = p->node;
  while (wire::next_message(payload, &m, &damaged)) {
    on_message(now, *p, m, out);
    p = peer_of_link(e.link);  // a new catalog may have moved or dropped it
    if (p == nullptr || p->node != node) return;
  }
  if (damaged) {
    trouble_ = "node " + std::to_string(node) + " sends malformed messages";
    p->closing = true;
    out.close(e.link);
  }
}

void ClientMachine::on_message(Time now, Peer& p, const wire::Message& m, env::Outbox& out) {
  switch (static_cast<wire::Type>(m.type)) {
    case wire::Type::execute_reply:
      on_execute_reply(now, m.body);
      break;
    case wire::Type::scan_batch:
      on_scan_batch(now, p, m.from, m.body, out);
      break;
    case wire::Type::outcome_reply:
      on_outcome_reply(now, m.body);
      break;
    case wire::Type::catalog:
      on_catalog(now, m.body, out);
      break;
    case wire::Type::hello: {
      Reader r(m.body);
      wire::Hello hello;
      if (!wire::decode(r, &hello) || hello.protocol != wire::kProtocolVersion || hello.node != p.node) {
        trouble_ = "another process than node " + std::to_string(p.node) + " listens on " + p.host + ":" +
                   std::to_string(p.port);
        p.closing = true;
        out.close(p.link);
        refresh();
        break;
      }
      p.state = Peer::State::up;
      p.lost = false;
      p.view = hello.view;
      if (p.lane == 0) {
        p.worker_links = hello.worker_links;
        while (p.lanes.size() < p.worker_links) {
          Peer& lane = p.lanes.emplace_back();
          lane.node = p.node;
          lane.lane = static_cast<std::uint8_t>(p.lanes.size());
        }
      }
      saw_view(hello.view);
      trouble_.clear();
      retry_now_ = true;  // those who waited for this link go now
      next_tick_ = now;
      break;
    }
    case wire::Type::refused: {
      Reader r(m.body);
      r.u16();
      std::string why = r.text();
      trouble_ = "node " + std::to_string(p.node) + " refused the connection: " + why;
      p.closing = true;
      if (p.lane != 0) p.next_connect = now + limits::kRefusedRetry;
      out.close(p.link);
      refresh();
      break;
    }
    default:
      break;  // of a newer peer
  }
}

// Every kClientTick while something is open: repeats that are due, answers that are late, deadlines.
void ClientMachine::tick(Time now, env::Outbox& out) {
  next_tick_ = now + limits::kClientTick;
  earliest_try_ = kNever;
  const bool all = retry_now_;
  retry_now_ = false;
  bool late = false;
  for (Handle h = 0; h < slots_.size(); h++) {
    if (!slots_[h]) continue;
    Slot& s = *slots_[h];
    switch (s.state) {
      case SlotState::pausing:
        if (now >= s.deadline) {
          expire(s, h);
        } else if (now < s.next_try && !all) {
          earliest_try_ = std::min(earliest_try_, s.next_try);
        } else if (!try_send(s, h, now, out) && s.state == SlotState::pausing) {
          pause(s, now, SlotState::pausing);
        }
        break;
      case SlotState::must_ask:
        if (now >= s.deadline)
          expire(s, h);
        else if (now >= s.next_try || all)
          ask_outcome(s, h, now, out);
        else
          earliest_try_ = std::min(earliest_try_, s.next_try);
        break;
      case SlotState::sent:
        if (now - s.sent_at > limits::kClientPatience) late = true;
        if (now >= s.deadline) expire(s, h);
        break;
      case SlotState::asking:
        if (now >= s.deadline)
          expire(s, h);
        else if (now - s.sent_at > limits::kClientPatience) {
          late = true;
          pause(s, now, SlotState::must_ask);
        }
        break;
      default:
        break;
    }
  }
  for (ScanHandle h = 0; h < scans_.size(); h++) {
    Scan& s = *scans_[h];
    if (!s.used || (s.state != ScanState::opening && s.state != ScanState::running)) continue;
    if (s.state == ScanState::opening && now >= s.deadline && s.deadline != 0) {
      scan_failed(s, h, now, s.error == Error::ok ? Error::unreachable : s.error, out);
      continue;
    }
    for (const Cursor& c : s.cursors) {
      const bool waits = c.state == CursorState::opening || c.state == CursorState::reading;
      if (waits && now - c.sent_at > limits::kClientPatience) late = true;
    }
    flush_scan(s, h, now, out);
  }
  if (late) note_trouble(now);
}

// Somebody is late or gone: is there a newer catalog that says so?
void ClientMachine::note_trouble(Time now) {
  if (refresh_wanted_) return;
  refresh_wanted_ = true;
  next_refresh_ = std::max({next_refresh_, catalog_asked_ + limits::kClientPatience / 2, now});
}

void ClientMachine::refresh() { refresh_now_ = true; }

void ClientMachine::saw_view(View v) {
  if (catalog_ && v > catalog_->view && v > wanted_view_) {
    wanted_view_ = v;
    refresh_now_ = true;
  }
}

}  // namespace ndb::client
