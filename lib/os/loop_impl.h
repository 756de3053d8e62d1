// The inside of os::Loop, in four files: loop.cc (rounds, steps, effects, posts, signals), parts.cc (threads of
// the machine's parts), links.cc (bytes in and
// out of a link, and its end), dial.cc (accepting and connecting). Included by these and part_thread.h only.
//
// Life of a link's number: adopt() gives it out; end() takes the link off it and queues link_down; run_due() steps
// the machine with link_down and only then frees the number. A link that went to a part (give_parcels, take_over) has
// its end() and its link_down in the loop of the part's thread, which then gives the number back. Life of a link's
// socket: end() closes it, or, when bytes that were written before are still unsent, or the peer might still be
// sending, moves the Link to `lingering`, which sends, throws away what comes, and closes at the peer's end of file or
// at a deadline. (A close() with unread input would send a reset, which may overtake the last bytes.) Objects that
// epoll may still name in this round wait in `graveyard`.
#pragma once
#include <atomic>
#include <deque>
#include <mutex>
#include <queue>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <vector>

#include "base/check.h"
#include "env/limits.h"
#include "os/files.h"
#include "os/log_sink.h"
#include "os/loop.h"
#include "os/resolver.h"
#include "wire/frame.h"

namespace ndb::os {

enum class SourceKind : std::uint8_t { waker, signals, listener, dial, link };

// What epoll can name.
struct Source {
  explicit Source(SourceKind k, Fd f) : kind(k), fd(std::move(f)) {}
  virtual ~Source() = default;
  SourceKind kind;
  bool dead = false;  // in the graveyard: events of this round that name it are stale
  Fd fd;
};

struct Listener : Source {
  Listener(Fd f, bool t) : Source(SourceKind::listener, std::move(f)), text(t) {}
  bool text;
};

// A connect() under way: looking up (no socket yet), or trying addresses[next - 1].
struct Dial : Source {
  explicit Dial(env::Outbox::Connect c) : Source(SourceKind::dial, Fd()), wish(std::move(c)) {}
  env::Outbox::Connect wish;
  std::uint64_t number = 0;  // by which the resolver's answer finds it
  std::vector<SocketAddress> addresses;
  std::size_t next = 0;
  bool all_refused = true;  // so far
  bool exhausted = false;   // all addresses tried
  Time deadline = 0;
};

struct Link : Source {
  explicit Link(Fd f) : Source(SourceKind::link, std::move(f)) {}
  env::LinkId id = 0;          // 0: lingering
  bool text = false;           // else frames
  bool input_ended = false;    // the peer has closed its direction
  std::uint32_t interest = 0;  // what epoll was told
  std::string peer;
  Writer in;       // the start of an unfinished frame
  Writer pending;  // sealed bytes that the socket has not taken: from `sent` on
  std::size_t sent = 0;
  Time deadline = kNever;  // of lingering
  std::size_t unsent() const { return pending.size() - sent; }
};

struct Loop::Impl {
  // `upstream`: this is the loop of a part's thread.
  Impl(env::Machine& m, const LoopOptions& o, PartThread* upstream = nullptr);
  ~Impl();

  // --- loop.cc
  bool round(Time max_wait);
  void wait(Time until, Time max_wait);
  void dispatch(const epoll_event& e);
  void deliver(const env::Event& event);  // a step, its effects, and the events that follow from it
  void run_due();
  void step_once(const env::Event& event);
  void carry_out();  // all effects but the sending, which waits for the end of the round
  void apply_upgrade(const env::Outbox::Upgrade& u);
  void flush_touched();
  void settle();  // flush, follow-up events, flush .. until nothing is left
  void run_posted();
  void start_parts();
  void step_parts();  // in this thread, until they have nothing more to say
  void deliver_parcel(std::size_t part, std::unique_ptr<env::Parcel> parcel);
  void give_parcels();  // what the steps have left for the parts
  std::unique_ptr<Link> give_away(env::LinkId id);
  void number_back(env::LinkId id);  // of a link that a part had
  void take_parcels();               // what the parts have for the machine
  void wait_for_parts(Time sleep);
  void expire(Time now);
  void note_deadline(Time t) { next_deadline = t < next_deadline ? t : next_deadline; }
  void drain_before_exit();
  void post(std::function<void()> f, std::uint64_t tag, int status);
  void ring();
  void watch(Source& s, int operation, std::uint32_t interest);
  void bury(std::unique_ptr<Source> s);
  void warn_sometimes(const std::string& text);  // at most one such line a second

  // --- links.cc
  Link* find(env::LinkId id) { return id < links.size() ? links[id].get() : nullptr; }
  bool full() const { return link_count >= limits::kLinksMax; }
  void adopt(Fd fd, bool text, std::string peer, std::uint64_t tag);  // a link is up
  void take_over(std::unique_ptr<Link> link);                         // of the machine that we are a part of
  void on_link(Link& l, std::uint32_t events);
  void receive(Link& l);
  void process(Link& l, Bytes input);        // whole frames, or text, to the machine; keeps the rest
  Bytes process_text(Link& l, Bytes input);  // returns what follows an upgrade
  void receive_big(Link& l, std::size_t frame_bytes);
  void flush_link(env::LinkId id);
  bool build_frames(Link& l, Bytes payload);  // headers and iov; false: the link was ended
  void send_iov(Link& l, std::size_t total);
  void send_pending(Link& l);
  void update_interest(Link& l);
  enum class Why : std::uint8_t { asked, peer_ended, broken };
  void end(Link& l, Why why);
  void on_lingering(Link& l, std::uint32_t events);
  void bury_lingering(Link& l);

  // --- dial.cc
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port, bool text);
  void on_listener(Listener& l);
  void connect(env::Outbox::Connect wish);
  void try_next(Dial& d);
  void on_dial(Dial& d);
  void give_up(Dial& d);
  void answer(std::uint64_t number, std::vector<SocketAddress> found);

  env::Machine& machine;
  env::Outbox outbox;
  LogSink log;
  Fd epoll;
  Source waker;
  std::unique_ptr<Source> signals;
  bool give_back_signals();
  Fd spare;  // given up for a moment when the process has no descriptor left, to turn a caller away
  bool started = false;
  bool in_round = false;
  bool exited = false;
  bool precise_wait = true;  // the kernel has epoll_pwait2
  std::size_t upgrade_consumed = SIZE_MAX;
  Time next_deadline = kNever;
  Time last_warning = -kSecond;
  Loop::Counts counts;

  std::vector<std::unique_ptr<Link>> links;  // by id; 0 is unused
  std::priority_queue<env::LinkId, std::vector<env::LinkId>, std::greater<>> free_ids;
  std::size_t link_count = 0;
  // link_down and no_link events that effects have brought about, to be delivered after the step.
  struct Due {
    env::EventKind kind;
    env::LinkId link;
    std::uint64_t tag;
    bool refused;
  };
  std::deque<Due> due;
  std::vector<std::unique_ptr<Link>> lingering;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Dial>> dials;
  std::vector<std::unique_ptr<Source>> graveyard;
  std::uint64_t dial_number = 0;

  std::unique_ptr<char[]> scratch;  // 2 x kReceiveBytes: a kept start of a frame, then what one receive brings
  std::vector<epoll_event> events;
  std::vector<iovec> iov;
  std::vector<char> headers;

  struct Posted {
    std::function<void()> f;  // empty: a stored event
    std::uint64_t tag;
    int status;
  };
  std::mutex posted_mutex;
  std::vector<Posted> posted;
  std::vector<Posted> posted_now;
  std::atomic<bool> rung{false};

  PartThread* const upstream;
  const LoopOptions options;
  std::vector<std::unique_ptr<PartThread>> parts;  // of the machine, from its start to its exit
  std::vector<env::Outbox> part_outboxes;          // of parts without threads

  std::unique_ptr<Resolver> resolver;  // made when a name is first asked for; last, so that it goes first
};

}  // namespace ndb::os
