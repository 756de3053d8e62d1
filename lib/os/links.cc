#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/loop_impl.h"

namespace ndb::os {
namespace {

// A buffer that was larger gives its memory back when it is empty.
constexpr std::size_t kBufferKept = std::size_t{128} << 10;

void empty_buffer(Writer& w) {
  if (w.size() > kBufferKept) {
    w = Writer();
  } else {
    w.clear();
  }
}

}  // namespace

void Loop::Impl::adopt(Fd fd, bool text, std::string peer, std::uint64_t tag) {
  int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  auto l = std::make_unique<Link>(std::move(fd));
  env::LinkId id = 0;
  if (free_ids.empty()) {
    id = static_cast<env::LinkId>(links.size());
    links.emplace_back();
  } else {
    id = free_ids.top();
    free_ids.pop();
  }
  l->id = id;
  l->text = text;
  l->peer = std::move(peer);
  l->interest = EPOLLIN;
  watch(*l, EPOLL_CTL_ADD, EPOLLIN);
  env::Outbox::Out& slot = outbox.slot(id);
  slot.bytes.clear();
  slot.unsent = 0;
  Link& link = *l;
  links[id] = std::move(l);
  ++link_count;
  env::Event e;
  e.kind = env::EventKind::link_up;
  e.link = id;
  e.tag = tag;
  e.data = link.peer;
  e.text = text;
  deliver(e);
}

void Loop::Impl::take_over(std::unique_ptr<Link> owned) {
  Link& l = *owned;
  if (l.id >= links.size()) links.resize(l.id + 1);
  NDB_CHECK(links[l.id] == nullptr);
  outbox.slot(l.id).bytes.clear();
  outbox.slot(l.id).unsent = l.unsent();
  watch(l, EPOLL_CTL_ADD, l.interest);
  links[l.id] = std::move(owned);
  ++link_count;
}

void Loop::Impl::on_link(Link& l, std::uint32_t what) {
  if (l.id == 0) {
    on_lingering(l, what);
    return;
  }
  if ((what & EPOLLOUT) != 0) {
    send_pending(l);
    run_due();
  }
  if (!l.dead && l.id != 0 && (what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(l);
}

// --- in

// One receive. The start of an unfinished frame, if any, is put before it, unless it is a long one: that grows in
// the link's own buffer, as its bytes arrive (a header alone makes nobody allocate its 64 MiB).
void Loop::Impl::receive(Link& l) {
  std::size_t before = l.in.size();
  if (before >= wire::kFrameHeaderBytes) {
    std::size_t whole = wire::kFrameHeaderBytes + load<std::uint32_t>(l.in.data() + 4);
    if (whole > limits::kReceiveBytes) {
      receive_big(l, whole);
      return;
    }
  }
  NDB_CHECK(before <= limits::kReceiveBytes);
  if (before > 0) std::memcpy(scratch.get(), l.in.data(), before);
  ssize_t n = ::recv(l.fd.get(), scratch.get() + before, limits::kReceiveBytes, 0);
  ++counts.receives;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    end(l, n == 0 ? Why::peer_ended : Why::broken);
    run_due();
    return;
  }
  counts.bytes_in += static_cast<std::uint64_t>(n);
  empty_buffer(l.in);
  process(l, Bytes(scratch.get(), before + static_cast<std::size_t>(n)));
}

void Loop::Impl::receive_big(Link& l, std::size_t frame_bytes) {
  std::size_t before = l.in.size();
  std::size_t want = std::min(frame_bytes - before, limits::kReceiveBytes);
  ssize_t n = ::recv(l.fd.get(), l.in.extend(want), want, 0);
  ++counts.receives;
  l.in.truncate(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    end(l, n == 0 ? Why::peer_ended : Why::broken);
    run_due();
    return;
  }
  counts.bytes_in += static_cast<std::uint64_t>(n);
  if (l.in.size() < frame_bytes) return;
  Writer whole = std::move(l.in);  // a step may end the link; the bytes stay ours
  process(l, whole.view());
}

void Loop::Impl::process(Link& l, Bytes input) {
  const env::LinkId id = l.id;
  if (l.text) input = process_text(l, input);
  while (!input.empty() && !exited && find(id) == &l) {
    wire::FrameHeader h{};
    wire::FrameState state = wire::open_frame(input, &h);
    if (state == wire::FrameState::incomplete) break;
    if (state == wire::FrameState::damaged) {
      log.add(env::Severity::warning,
              "closed the connection with " + l.peer + ": what it sent is no frame, or is damaged");
      end(l, Why::broken);
      run_due();
      return;
    }
    ++counts.frames_in;
    env::Event e;
    e.kind = env::EventKind::frame;
    e.link = id;
    e.data = input.substr(wire::kFrameHeaderBytes, h.payload_bytes);
    e.epoch = h.epoch;
    deliver(e);
    input.remove_prefix(wire::kFrameHeaderBytes + h.payload_bytes);
  }
  if (!exited && find(id) == &l) l.in.raw(input);
}

Bytes Loop::Impl::process_text(Link& l, Bytes input) {
  upgrade_consumed = SIZE_MAX;
  env::Event e;
  e.kind = env::EventKind::text;
  e.link = l.id;
  e.data = input;
  const env::LinkId id = l.id;
  deliver(e);
  if (find(id) != &l || l.text) return {};
  return input.substr(std::min(upgrade_consumed, input.size()));
}

// --- out

void Loop::Impl::flush_link(env::LinkId id) {
  env::Outbox::Out& slot = outbox.slot(id);
  Link* l = find(id);
  if (l == nullptr || slot.bytes.empty()) {  // gone, or never there: dropped
    slot.bytes.clear();
    return;
  }
  iov.clear();
  std::size_t total = slot.bytes.size();
  if (l->text) {
    iov.push_back({slot.bytes.data(), total});
  } else {
    if (!build_frames(*l, slot.bytes.view())) {
      empty_buffer(slot.bytes);
      return;
    }
    total += headers.size();
  }
  send_iov(*l, total);
  empty_buffer(slot.bytes);
}

// Cuts the payload into frames of about kReceiveBytes, at message boundaries.
bool Loop::Impl::build_frames(Link& l, Bytes payload) {
  headers.clear();
  std::vector<std::size_t> cuts;  // ends of all frames but the last; empty in the common case
  if (payload.size() > limits::kReceiveBytes) {
    Bytes rest = payload;
    std::size_t begin = 0;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      std::size_t start = static_cast<std::size_t>(m.body.data() - payload.data()) - wire::kMessageHeaderBytes;
      std::size_t stop = payload.size() - rest.size();
      if (stop - begin > limits::kReceiveBytes && start > begin) {
        cuts.push_back(start);
        begin = start;
      }
    }
    NDB_CHECK(!damaged);  // a machine writes whole messages
  }
  cuts.push_back(payload.size());
  headers.resize(cuts.size() * wire::kFrameHeaderBytes);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    Bytes part = payload.substr(begin, cuts[i] - begin);
    if (part.size() > limits::kFrameBytesMax) {
      log.add(env::Severity::error, "closed the connection with " + l.peer + ": a message of " +
                                        std::to_string(part.size()) + " bytes was to be sent");
      end(l, Why::broken);
      return false;
    }
    char* header = headers.data() + i * wire::kFrameHeaderBytes;
    wire::seal_frame(header, part, outbox.epoch);
    iov.push_back({header, wire::kFrameHeaderBytes});
    iov.push_back({const_cast<char*>(part.data()), part.size()});
    begin = cuts[i];
    ++counts.frames_out;
  }
  return true;
}

// Sends what iov names, or keeps what the socket does not take.
void Loop::Impl::send_iov(Link& l, std::size_t total) {
  constexpr std::size_t kIovMax = 1024;
  std::size_t taken = 0;
  if (l.unsent() == 0) {
    msghdr m{};
    m.msg_iov = iov.data();
    m.msg_iovlen = std::min(iov.size(), kIovMax);
    ssize_t n = ::sendmsg(l.fd.get(), &m, MSG_NOSIGNAL);
    ++counts.sends;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      end(l, Why::broken);
      return;
    }
    taken = n > 0 ? static_cast<std::size_t>(n) : 0;
    counts.bytes_out += taken;
  } else if (l.unsent() + total > limits::kUnsentBytesMax) {
    log.add(env::Severity::warning,
            "closed the connection with " + l.peer + ": it has left " + std::to_string(l.unsent()) + " bytes unread");
    end(l, Why::broken);
    return;
  }
  if (taken < total) {
    if (l.sent > l.pending.size() / 2) {
      std::memmove(l.pending.data(), l.pending.data() + l.sent, l.unsent());
      l.pending.truncate(l.unsent());
      l.sent = 0;
    }
    for (const iovec& v : iov) {
      std::size_t skip = std::min(taken, v.iov_len);
      taken -= skip;
      l.pending.raw(Bytes(static_cast<const char*>(v.iov_base) + skip, v.iov_len - skip));
    }
  }
  outbox.slot(l.id).unsent = l.unsent();
  update_interest(l);
}

void Loop::Impl::send_pending(Link& l) {
  if (l.unsent() > 0) {
    ssize_t n = ::send(l.fd.get(), l.pending.data() + l.sent, l.unsent(), MSG_NOSIGNAL);
    ++counts.sends;
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      if (l.id == 0) {
        bury_lingering(l);
      } else {
        end(l, Why::broken);
      }
      return;
    }
    counts.bytes_out += static_cast<std::uint64_t>(n);
    l.sent += static_cast<std::size_t>(n);
  }
  if (l.unsent() == 0) {
    l.sent = 0;
    empty_buffer(l.pending);
  }
  if (l.id != 0) outbox.slot(l.id).unsent = l.unsent();
  update_interest(l);
}

void Loop::Impl::update_interest(Link& l) {
  std::uint32_t wanted =
      (l.input_ended ? 0u : std::uint32_t{EPOLLIN}) | (l.unsent() > 0 ? std::uint32_t{EPOLLOUT} : 0u);
  if (wanted == l.interest) return;
  l.interest = wanted;
  watch(l, EPOLL_CTL_MOD, wanted);
}

// --- the end

// Takes the link from the machine: link_down becomes due. The socket lives on while it has something to send.
void Loop::Impl::end(Link& l, Why why) {
  const env::LinkId id = l.id;
  if (why == Why::peer_ended) {
    l.input_ended = true;
    flush_link(id);  // what the steps of this round have answered
    if (find(id) != &l) return;
  }
  std::unique_ptr<Link> owned = std::move(links[id]);
  --link_count;
  due.push_back({env::EventKind::link_down, id, 0, false});
  outbox.slot(id).bytes.clear();
  outbox.slot(id).unsent = 0;
  l.id = 0;
  l.in = Writer();
  bool nothing_to_wait_for = l.input_ended && l.unsent() == 0;
  if (why == Why::broken || nothing_to_wait_for || lingering.size() >= limits::kLinksMax) {
    bury(std::move(owned));
    return;
  }
  if (l.unsent() == 0) ::shutdown(l.fd.get(), SHUT_WR);
  l.deadline = monotonic_now() + limits::kCloseFlush;
  note_deadline(l.deadline);
  lingering.push_back(std::move(owned));
  update_interest(l);
}

void Loop::Impl::on_lingering(Link& l, std::uint32_t what) {
  if ((what & EPOLLOUT) != 0) {
    send_pending(l);
    if (l.dead) return;
    if (l.unsent() == 0) {
      if (l.input_ended) {
        bury_lingering(l);
        return;
      }
      ::shutdown(l.fd.get(), SHUT_WR);
    }
  }
  if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  ssize_t n = ::recv(l.fd.get(), scratch.get(), limits::kReceiveBytes, 0);
  if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
  l.input_ended = true;
  if (n == 0 && l.unsent() > 0 && (what & (EPOLLHUP | EPOLLERR)) == 0) {
    update_interest(l);
  } else {
    bury_lingering(l);
  }
}

void Loop::Impl::bury_lingering(Link& l) {
  for (auto& p : lingering) {
    if (p.get() != &l) continue;
    std::unique_ptr<Link> owned = std::move(p);
    p = std::move(lingering.back());
    lingering.pop_back();
    bury(std::move(owned));
    return;
  }
  NDB_CHECK(false);
}

}  // namespace ndb::os
