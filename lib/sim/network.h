// The simulated network: connections between processes as TCP gives them, and what can go wrong with them.
//
// Promises
//  * Bytes of one direction arrive in order or not at all, never damaged. A connection may end after any frame; then
//  the
//    tail that was still under way is lost, and each end sees link_down at a time of its own.
//  * A cut (one way or both) stalls what is sent into it. When it heals soon, everything arrives; else the sender
//    gives up after a time-out and its end goes down. The other end is half-open then: it notices when it sends, or by
//    keep-alive.
//  * connect(): refused when the host lives and nobody listens; no answer at all (no_link after
//  limits::kConnectTimeout)
//    when the host has no power or is cut off.
//  * A process that is paused still has a kernel: connects to it succeed and bytes wait in its inbox.
//  * A link that began as text carries real bytes: frames are sealed by the sender and opened by the receiver. Frame
//    links hand payloads over and take the long way only now and then.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "env/machine.h"
#include "sim/trace.h"

namespace ndb::sim {

class World;

struct NetworkSettings {
  Time delay_least = 20 * kMicrosecond;
  Time delay_most = 200 * kMicrosecond;
  double spike_chance = 0.0;  // of a frame to take up to spike_most instead
  Time spike_most = 20 * kMillisecond;
  Time give_up_least = 1 * kSecond;  // a sender that gets no acknowledgement gives its connection up
  Time give_up_most = 10 * kSecond;
  Time keep_alive_most = 15 * kSecond;  // a half-open end notices by itself
  double split_chance = 0.02;           // of a frame to arrive as two, cut between messages
  double seal_chance = 0.01;            // of a frame to be sealed and opened like on a real wire
};

class Network {
 public:
  Network(World& world, std::uint64_t seed);
  NetworkSettings settings;

  // --- faults
  void cut(ProcessId from, ProcessId to);  // one way; cuts are counted
  void heal(ProcessId from, ProcessId to);
  void heal_all();  // also resolves half-open ends soon
  bool is_cut(ProcessId from, ProcessId to) const;
  // Breaks the connections between two processes, all or those the dice choose; tails are lost.
  std::size_t break_links(ProcessId a, ProcessId b, double chance);
  void slow(ProcessId p, Time extra) { slow_[p] = extra; }  // everything to and from p takes this much longer
  std::size_t links() const;

  // Who sends what to whom, before it is on its way: for fault points. Called once for each message of a frame.
  std::function<void(ProcessId from, ProcessId to, std::uint16_t type)> on_send;

  // --- the world's side
  void process_gone(ProcessId p, bool power_lost);  // its connections end; without power nobody says so
  void process_back(ProcessId p);
  void dial(ProcessId from, const env::Outbox::Connect& wish);
  void send(ProcessId from, env::LinkId link, Bytes bytes, Epoch epoch);
  void close(ProcessId from, env::LinkId link);
  void upgrade(ProcessId from, env::LinkId link, std::size_t consumed);
  // Continuations of the world's queue.
  void pipe_due(std::uint32_t connection, std::uint32_t life, unsigned direction);
  void dial_due(std::uint32_t dial);
  void process_resumed(ProcessId p);

 private:
  struct Item {
    enum class Kind : std::uint8_t { up, bytes, down } kind = Kind::bytes;
    Time at = 0;
    Epoch epoch = 0;
    std::string data;
  };
  struct Pipe {  // from end d to end 1-d of its connection
    std::deque<Item> items;
    Time last = 0;             // when the newest item arrives: the next one not before
    bool scheduled = false;    // the world's queue holds an event for the first item
    bool stalled = false;      // the first item waits for a cut to heal
    bool unacked = false;      // items arrive, but the sender cannot know
    std::uint64_t stalls = 0;  // so that an old give-up time does not hit a new stall
    std::size_t bytes = 0;
  };
  struct End {
    ProcessId process = 0;
    std::uint32_t process_life = 0;
    env::LinkId link = 0;  // 0 until link_up was delivered
    bool gone = false;     // saw link_down, or its process ended
    bool closing = false;  // closed by its machine; only link_down comes
    bool lost = false;     // the connection broke: what is sent from here goes nowhere
    bool text_in = false, text_out = false;
    bool half_open = false;  // the other end is gone and nobody has said so
    std::uint64_t tag = 0;
    std::string peer;
    std::string in;  // bytes of an unfinished frame (links that began as text)
    std::size_t upgrade_consumed = SIZE_MAX;
    bool upgraded_now = false;
  };
  struct Connection {
    std::uint32_t life = 0;
    bool used = false;
    bool bytes_mode = false;  // began as text
    End end[2];               // 0 = the one that connected
    Pipe pipe[2];
  };
  struct Dial {
    bool used = false;
    ProcessId from = 0;
    std::uint32_t from_life = 0;
    env::Outbox::Connect wish{};
    Time deadline = 0;
  };
  Connection* find(ProcessId p, env::LinkId link, unsigned* end);
  Connection* get(std::uint32_t connection, std::uint32_t life);
  Time draw_delay(ProcessId from, ProcessId to);
  void push(std::uint32_t connection, unsigned direction, Item::Kind kind, std::string data, Epoch epoch = 0);
  void schedule(std::uint32_t connection, unsigned direction);
  void await_acknowledgement(std::uint32_t connection, unsigned direction);
  void give_up(std::uint32_t connection, std::uint32_t life, unsigned direction, std::uint64_t stalls);
  void reset_by_peer(std::uint32_t connection, unsigned end, Time within);
  void end_down(std::uint32_t connection, std::uint32_t life, unsigned end);
  void truncate_tail(Pipe& p);
  void end_gone(std::uint32_t connection, unsigned end);
  void deliver_up(std::uint32_t connection, unsigned end);
  void deliver_bytes(std::uint32_t connection, unsigned end, const Item& item);
  void deliver_input(std::uint32_t connection, std::uint32_t life, unsigned end);
  void send_payload(std::uint32_t connection, unsigned end, Bytes payload, Epoch epoch);
  void report_messages(ProcessId from, ProcessId to, Bytes payload);
  void update_backlog(const Connection& c, unsigned direction);
  void no_link(const Dial& d, bool refused);
  void open(const Dial& d, ProcessId to, bool text);

  World& world_;
  Prng prng_;
  std::deque<Connection> connections_;  // addresses stay
  std::vector<std::uint32_t> free_connections_;
  std::vector<Dial> dials_;
  std::vector<std::uint32_t> free_dials_;
  std::map<std::pair<ProcessId, ProcessId>, int> cuts_;
  std::map<ProcessId, Time> slow_;
  std::uint32_t next_port_ = 40000;
  Writer scratch_;
};

}  // namespace ndb::sim
