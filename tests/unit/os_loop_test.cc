// Links of an os::Loop: frames, text, upgrade, damage, closing, limits.
#include "os_world.h"

#include <sys/resource.h>

#include "base/prng.h"
#include "env/limits.h"
#include "os/files.h"

using namespace ndb;
using namespace ndb::os;

namespace {

// Answers every frame with its own payload.
void echo(Time, const Event& e, Outbox& out) {
  if (e.kind == EventKind::frame || e.kind == EventKind::text) out.link(e.link).raw(e.data);
}

LoopOptions log_to(const TemporaryDirectory& d) {
  LoopOptions o;
  o.log_path = d / "log";
  return o;
}

std::uint16_t listen(Loop& l, bool text = false) {
  auto port = l.listen("127.0.0.1", 0, text);
  REQUIRE(port.ok());
  REQUIRE(*port != 0);
  return *port;
}

}  // namespace

TEST_CASE("a frame link carries frames both ways", "[os]") {
  TemporaryDirectory dir;
  TestMachine server(echo);
  Loop server_loop(server, log_to(dir));
  std::uint16_t port = listen(server_loop);
  TestMachine client([port](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(42, "127.0.0.1", port);
    if (e.kind == EventKind::link_up) {
      REQUIRE(e.tag == 42);
      REQUIRE(std::string(e.data) == "127.0.0.1:" + std::to_string(port));
      out.epoch = 77;
      put_message(out.link(e.link), "hello");
      put_message(out.link(e.link), "world");
    }
  });
  Epoch epoch_seen = 0;
  server.on = [&](Time now, const Event& e, Outbox& out) {
    if (e.kind == EventKind::frame) {
      epoch_seen = e.epoch;
      out.epoch = e.epoch + 1;
    }
    echo(now, e, out);
  };
  Loop client_loop(client, log_to(dir));
  REQUIRE(turn({&server_loop, &client_loop}, [&] { return !client.payloads.empty(); }));
  CHECK(epoch_seen == 77);
  CHECK(server.seen == std::vector<std::string>{"start", "up 1"});
  CHECK(client.seen == std::vector<std::string>{"start", "up 1"});
  REQUIRE(server.payloads.size() == 1);  // what one step writes is one frame
  CHECK(server.payloads[0] == message("hello") + message("world"));
  CHECK(client.payloads == server.payloads);
  CHECK(client_loop.counts().frames_out == 1);
  CHECK(client_loop.counts().sends == 1);
}

TEST_CASE("a frame may come byte by byte, many frames may come at once", "[os]") {
  TemporaryDirectory dir;
  TestMachine m(echo);
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  Socket s(port);
  std::string f = frame(message("abc"), 5);
  for (char c : f) {
    REQUIRE(s.send(Bytes(&c, 1)));
    loop.run_once(kMillisecond);
  }
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1; }));
  CHECK(s.receive_exactly(f.size()).size() == f.size());

  std::string many;
  for (int i = 0; i < 1000; ++i) many += frame(message(std::to_string(i)));
  many += f.substr(0, 30);
  auto before = loop.counts();
  REQUIRE(s.send(many));
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1001; }));
  CHECK(m.payloads[1000] == message("999"));
  auto after = loop.counts();
  CHECK(after.frames_out - before.frames_out < 20);  // the answers of one round leave in one frame
  CHECK(after.sends - before.sends == after.frames_out - before.frames_out);
  REQUIRE(s.send(f.substr(30)));
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1002; }));
}

TEST_CASE("damage closes the link with a warning that names the peer", "[os]") {
  TemporaryDirectory dir;
  TestMachine m(echo);
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  std::string bad = frame(message("abcdefgh"));
  SECTION("garbage") {
    Prng random(7);
    bad.resize(1 << 20);
    for (char& c : bad) c = static_cast<char>(random.next());
  }
  SECTION("a flipped bit in the payload") { bad[wire::kFrameHeaderBytes + 9] ^= 1; }
  SECTION("a flipped bit in the epoch") { bad[17] ^= 1; }
  SECTION("a length beyond the limit") { save<std::uint32_t>(bad.data() + 4, (64u << 20) + 1); }
  SECTION("text") { bad = "get status\n\n"; }
  Socket s(port);
  Socket good(port);
  std::thread sender([&] { s.send(bad); });
  bool down = turn({&loop}, [&] { return m.count("down 1") + m.count("down 2") == 1; });
  sender.join();
  REQUIRE(down);
  CHECK(m.payloads.empty());
  CHECK(s.at_end());
  auto log = read_file(dir / "log");
  REQUIRE(log.ok());
  CHECK(log->find("WARNING -- closed the connection with 127.0.0.1:") != std::string::npos);
  std::string f = frame(message("still here"));
  REQUIRE(good.send(f));
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1; }));
}

TEST_CASE("half a frame, then silence, is harmless", "[os]") {
  TemporaryDirectory dir;
  TestMachine m(echo);
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  Socket silent(port);
  std::string f = frame(std::string(1 << 20, 'x'));
  REQUIRE(silent.send(Bytes(f).substr(0, 500000)));
  Socket other(port);
  REQUIRE(other.send(frame(message("a"))));
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1; }));
  for (int i = 0; i < 20; ++i) loop.run_once(kMillisecond);
  auto rounds = loop.counts().receives;
  for (int i = 0; i < 20; ++i) loop.run_once(kMillisecond);
  CHECK(loop.counts().receives == rounds);  // nothing spins
  silent.close();
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") + m.count("down 2") == 1; }));
}

TEST_CASE("frames larger than the socket's buffers arrive whole; the backlog is known", "[os]") {
  TemporaryDirectory dir;
  std::string big(20 << 20, '\0');
  Prng random(1);
  for (std::size_t i = 0; i < big.size(); i += 8) save<std::uint64_t>(big.data() + i, random.next());
  TestMachine server(echo);
  Loop server_loop(server, log_to(dir));
  std::uint16_t port = listen(server_loop);
  TestMachine client([&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", port);
    if (e.kind == EventKind::link_up) put_message(out.link(e.link), big);
  });
  Loop client_loop(client, log_to(dir));
  REQUIRE(turn({&client_loop}, [&] { return client.count("up 1") == 1; }));
  client_loop.run_once(0);
  CHECK(client_loop.outbox().backlog(1) > (1 << 20));  // nobody reads yet
  REQUIRE(turn({&server_loop, &client_loop}, [&] { return !client.payloads.empty(); }));
  CHECK(client.payloads[0] == message(big));
  CHECK(client_loop.outbox().backlog(1) == 0);
  CHECK(server_loop.outbox().backlog(1) == 0);
}

TEST_CASE("many messages of one step are cut into frames between messages", "[os]") {
  TemporaryDirectory dir;
  std::string all;
  TestMachine server([&](Time, const Event& e, Outbox&) {
    if (e.kind == EventKind::frame) all += e.data;
  });
  server.record_payloads = false;
  Loop server_loop(server, log_to(dir));
  std::uint16_t port = listen(server_loop);
  Writer wanted;
  for (int i = 0; i < 3000; ++i) put_message(wanted, std::string(static_cast<std::size_t>(i), 'm'));
  TestMachine client([&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", port);
    if (e.kind == EventKind::link_up) out.link(e.link).raw(wanted.view());
  });
  Loop client_loop(client, log_to(dir));
  REQUIRE(turn({&server_loop, &client_loop}, [&] { return all.size() >= wanted.size(); }));
  CHECK(all == wanted.view());
  auto frames = client_loop.counts().frames_out;
  CHECK(frames >= wanted.size() / limits::kReceiveBytes);
  CHECK(frames <= 2 * wanted.size() / limits::kReceiveBytes);
}

TEST_CASE("a text link is upgraded to frames behind the bytes that the machine consumed", "[os]") {
  TemporaryDirectory dir;
  TestMachine server([](Time now, const Event& e, Outbox& out) {
    if (e.kind == EventKind::text) {
      auto end = e.data.find("\n\n");
      REQUIRE(end != Bytes::npos);
      out.link(e.link).raw("transporter reply\n\n");
      out.upgrade(e.link, end + 2);
    } else {
      echo(now, e, out);
    }
  });
  Loop loop(server, log_to(dir));
  std::uint16_t port = listen(loop, true);
  Socket s(port);
  std::string first = frame(message("first"));
  REQUIRE(s.send("transporter connect\n\n" + first + first.substr(0, 11)));  // frames right behind the request
  REQUIRE(turn({&loop}, [&] { return server.payloads.size() == 2; }));
  REQUIRE(s.send(first.substr(11)));
  REQUIRE(turn({&loop}, [&] { return server.payloads.size() == 3; }));
  CHECK(server.seen[1] == "up 1 text");
  CHECK(server.payloads[1] == message("first"));
  std::string reply = "transporter reply\n\n";
  CHECK(s.receive_exactly(reply.size() + 2 * first.size()) == reply + first + first);
}

TEST_CASE("both ends of a text link upgrade", "[os]") {
  TemporaryDirectory dir;
  TestMachine server([](Time now, const Event& e, Outbox& out) {
    if (e.kind == EventKind::text) {
      out.link(e.link).raw("ok\n\n");
      out.upgrade(e.link, e.data.size());
    } else {
      echo(now, e, out);
    }
  });
  Loop server_loop(server, log_to(dir));
  std::uint16_t port = listen(server_loop, true);
  TestMachine client([&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", port, true);
    if (e.kind == EventKind::link_up) out.link(e.link).raw("transporter connect\n\n");
    if (e.kind == EventKind::text) {
      out.upgrade(e.link, e.data.size());
      out.wake_at(0);
    }
    if (e.kind == EventKind::timer) put_message(out.link(1), "framed");
  });
  Loop client_loop(client, log_to(dir));
  REQUIRE(turn({&server_loop, &client_loop}, [&] { return client.payloads.size() == 2; }));
  CHECK(client.payloads[0] == "ok\n\n");
  CHECK(client.payloads[1] == message("framed"));
}

TEST_CASE("close sends what was written, then link_down comes once and nothing after it", "[os]") {
  TemporaryDirectory dir;
  std::string reply(8 << 20, 'r');
  TestMachine m([&](Time, const Event& e, Outbox& out) {
    if (e.kind != EventKind::text) return;
    out.link(e.link).raw(reply);
    out.close(e.link);
    out.close(e.link);
  });
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop, true);
  Socket s(port);
  REQUIRE(s.send("request\n\n"));
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 1; }));
  s.send("more that nobody reads");
  LoopThread running(loop);
  CHECK(s.receive_exactly(reply.size()) == reply);
  CHECK(s.at_end());
  running.stop();
  CHECK(m.count("down 1") == 1);
  CHECK(m.payloads.size() == 1);
}

TEST_CASE("a peer that shuts its sending side down still gets its answer", "[os]") {
  TemporaryDirectory dir;
  TestMachine m(echo);
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop, true);
  Socket s(port);
  REQUIRE(s.send("get status\n\n"));
  ::shutdown(s.fd, SHUT_WR);
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 1; }));
  CHECK(s.receive_exactly(12) == "get status\n\n");
  CHECK(s.at_end());

  Socket late(port);
  REQUIRE(turn({&loop}, [&] { return m.count("up 1 text") == 2; }));
  ::shutdown(late.fd, SHUT_WR);
  loop.outbox().link(1).raw("written in the round that meets the end");
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 2; }));
  CHECK(late.receive_exactly(39) == "written in the round that meets the end");
}

TEST_CASE("a peer learns of a close at once", "[os]") {
  TemporaryDirectory dir;
  TestMachine m([](Time, const Event& e, Outbox& out) {
    if (e.kind != EventKind::link_up) return;
    out.link(e.link).raw("busy\n");
    out.close(e.link);
  });
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop, true);
  Socket s(port);
  Time start = Loop::now();
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 1; }));
  CHECK(s.receive_exactly(5) == "busy\n");
  CHECK(s.at_end());
  CHECK(Loop::now() - start < limits::kCloseFlush / 2);
}

TEST_CASE("a peer that reads slowly gets every byte in order", "[os]") {
  TemporaryDirectory dir;
  constexpr std::uint64_t kMessages = 3000;
  std::uint64_t sent = 0;
  TestMachine client;
  TestMachine server([&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::link_up || e.kind == EventKind::timer) {
      while (sent < kMessages && out.backlog(1) < (6 << 20)) {
        put_message(out.link(1), std::string(100 + sent * 7 % 30000, static_cast<char>(sent)));
        ++sent;
        if (sent % 5 == 0) break;
      }
      if (sent < kMessages) out.wake_at(0);
    }
  });
  Loop loop(server, log_to(dir));
  std::uint16_t port = listen(loop);
  std::uint64_t got = 0;
  bool right = true;
  client.record_payloads = false;
  client.on = [&](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::start) out.connect(1, "127.0.0.1", port);
    if (e.kind != EventKind::frame) return;
    Bytes rest = e.data;
    wire::Message m;
    bool damaged = false;
    while (wire::next_message(rest, &m, &damaged)) {
      right = right && m.body == std::string(100 + got * 7 % 30000, static_cast<char>(got));
      ++got;
    }
  };
  Loop client_loop(client, log_to(dir));
  int round = 0;
  REQUIRE(turn({&loop}, [&] {
    if (++round % 12 == 0 || sent == kMessages) client_loop.run_once(0);
    return got == kMessages || client.count("down 1") > 0;
  }));
  CHECK(right);
  CHECK(got == kMessages);
}

TEST_CASE("a link's number is given out again only after its link_down", "[os]") {
  TemporaryDirectory dir;
  TestMachine m;
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  auto first = std::make_unique<Socket>(port);
  REQUIRE(turn({&loop}, [&] { return m.count("up 1") == 1; }));
  Socket second(port);
  REQUIRE(turn({&loop}, [&] { return m.count("up 2") == 1; }));
  first.reset();
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 1; }));
  Socket third(port);
  REQUIRE(turn({&loop}, [&] { return m.count("up 1") == 2; }));
  CHECK(m.seen == std::vector<std::string>{"start", "up 1", "up 2", "down 1", "up 1"});
  CHECK(loop.counts().links == 2);
}

TEST_CASE("a dead peer gives link_down, not an exception", "[os]") {
  TemporaryDirectory dir;
  TestMachine m([](Time, const Event& e, Outbox& out) {
    if (e.kind == EventKind::link_up) out.wake_at(0);
    if (e.kind == EventKind::timer) {
      put_message(out.link(1), std::string(100000, 'x'));
      out.wake_at(0);
    }
  });
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  {
    Socket s(port);
    REQUIRE(turn({&loop}, [&] { return m.count("timer") > 3; }));
    linger hard{1, 0};
    ::setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  REQUIRE(turn({&loop}, [&] { return m.count("down 1") == 1; }));
  for (int i = 0; i < 10; ++i) loop.run_once(0);  // writing to a link that is gone is nothing
  CHECK(m.count("down 1") == 1);
}

TEST_CASE("thousands of idle links cost nothing, and the limit turns newcomers away", "[os]") {
  rlimit r{};
  ::getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_cur = r.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &r);
  if (r.rlim_cur < 2 * limits::kLinksMax + 200) {
    WARN("too few file descriptors are allowed here for this test");
    return;
  }
  TemporaryDirectory dir;
  TestMachine m(echo);
  Loop loop(m, log_to(dir));
  std::uint16_t port = listen(loop);
  std::vector<Socket> sockets;
  for (std::uint32_t i = 0; i < limits::kLinksMax; ++i) {
    sockets.emplace_back(port);
    REQUIRE(sockets.back().connected);
    if (i % 64 == 63) loop.run_once(0);
  }
  REQUIRE(turn({&loop}, [&] { return loop.counts().links == limits::kLinksMax; }));
  Socket extra(port);
  for (int i = 0; i < 20; ++i) loop.run_once(kMillisecond);
  CHECK(extra.at_end());
  CHECK(loop.counts().links == limits::kLinksMax);
  CHECK(read_file(dir / "log")->find("4096 are open") != std::string::npos);

  auto before = loop.counts();
  REQUIRE(sockets[4000].send(frame(message("busy"))));
  REQUIRE(turn({&loop}, [&] { return m.payloads.size() == 1; }));
  CHECK(loop.counts().receives == before.receives + 1);
  sockets.clear();
  REQUIRE(turn({&loop}, [&] { return loop.counts().links == 0; }));
}
