#include "cli/connect.h"

#include <algorithm>
#include <cstdlib>

#include "client/base64.h"
#include "os/files.h"
#include "os/loop.h"

namespace ndb::cli {

namespace {

constexpr Time kSilence = 3 * kSecond;  // then another management server is asked, when there is one

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view s, std::string_view what = " \t\r\"") {
  s.remove_prefix(std::min(s.find_first_not_of(what), s.size()));
  return s.substr(0, s.find_last_not_of(what) + 1);
}

bool take_prefix(std::string_view* s, std::string_view prefix) {
  if (s->substr(0, prefix.size()) != prefix) return false;
  s->remove_prefix(prefix.size());
  return true;
}

bool number(std::string_view s, std::uint32_t most, std::uint32_t* out) {
  if (s.empty() || s.size() > 9) return false;
  *out = 0;
  for (char c : s) {
    if (c < '0' || c > '9') return false;
    *out = *out * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return *out <= most;
}

// connectstring = "..." of a toml file: the one key that every tool needs, without a parser for the rest.
std::string from_toml(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string_view line = trimmed(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (!take_prefix(&line, "connectstring")) continue;
    line = trimmed(line);
    if (!take_prefix(&line, "=")) continue;
    line = trimmed(line);
    return std::string(line.substr(0, line.find('"')));
  }
  return {};
}

}  // namespace

Result<ConnectString> parse_connectstring(std::string_view text) {
  ConnectString c;
  c.text = std::string(text);
  auto bad = [&](std::string_view part) {
    return Failure{Error::unreachable, "connect string '" + c.text + "': '" + std::string(part) +
                                           "' is neither host[:port] nor nodeid=N nor bind-address=HOST"};
  };
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = text.find_first_of(",;", at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view part = trimmed(text.substr(at, end - at));
    const std::string_view whole = part;
    at = end + 1;
    if (part.empty()) continue;
    if (take_prefix(&part, "bind-address=")) continue;
    std::uint32_t n = 0;
    if (take_prefix(&part, "nodeid=")) {
      if (!number(part, limits::kNodeIdMax, &n)) return bad(whole);
      c.node_id = static_cast<NodeId>(n);
      continue;
    }
    if (!take_prefix(&part, "host=")) take_prefix(&part, "mgmd=");
    client::Endpoint e;
    e.port = kManagementPort;
    std::size_t colon = part.rfind(':');
    if (!part.empty() && part.front() == '[') {  // [IPv6]:port
      const std::size_t close = part.find(']');
      if (close == std::string_view::npos) return bad(whole);
      e.host = std::string(part.substr(1, close - 1));
      colon = close + 1 < part.size() ? close + 1 : std::string_view::npos;
    } else {
      if (colon != std::string_view::npos && part.find(':') != colon) colon = std::string_view::npos;  // bare IPv6
      e.host = std::string(part.substr(0, colon));
    }
    if (colon != std::string_view::npos) {
      if (part[colon] != ':' || !number(part.substr(colon + 1), 65535, &n) || n == 0) return bad(whole);
      e.port = static_cast<std::uint16_t>(n);
    }
    if (e.host.empty() || e.host.find_first_of(" =\n\r") != std::string::npos) return bad(whole);
    c.servers.push_back(std::move(e));
  }
  if (c.servers.empty()) c.servers.push_back({"localhost", kManagementPort});
  return c;
}

Result<ConnectString> find_connectstring(const std::string& option) {
  if (!option.empty()) return parse_connectstring(option);
  if (const char* env = std::getenv("NDB_CONNECTSTRING"); env != nullptr && *env != '\0')
    return parse_connectstring(env);
  if (os::exists("ndb.toml")) {
    auto text = os::read_file("ndb.toml", std::size_t{1} << 20);
    if (text) {
      std::string s = from_toml(*text);
      if (!s.empty()) return parse_connectstring(s);
    }
  }
  return parse_connectstring("localhost:1186");
}

const std::string& Management::Reply::value(const std::string& key) const {
  static const std::string none;
  auto i = values.find(key);
  return i == values.end() ? none : i->second;
}

// The conversation as a machine: one request at a time, over the first address that answers.
struct Management::Impl : env::Machine {
  enum class State : std::uint8_t { idle, connecting, asking, answered, failed } state = State::idle;
  ConnectString servers;
  std::size_t at = 0, tried = 0;
  env::LinkId link = 0;
  std::uint64_t connects = 0;
  enum class Kind : std::uint8_t {
    unknown,
    ours,
    stock
  } kind = Kind::unknown;  // of the server at the other end of `link`
  std::string request, input, trouble;
  Reply reply;
  os::LoopOptions quiet;
  std::unique_ptr<os::Loop> loop;

  explicit Impl(ConnectString s) : servers(std::move(s)) {
    quiet.log_from = env::Severity::critical;
    loop = std::make_unique<os::Loop>(*this, quiet);
  }

  void step(Time, const env::Event& e, env::Outbox& out) override {
    switch (e.kind) {
      case env::EventKind::timer:
        if (state == State::connecting && link == 0 && tried == 0)
          dial(out);
        else if (state == State::asking && !request.empty())
          say(out);
        break;
      case env::EventKind::link_up:
        if (e.tag != connects) {
          out.close(e.link);
          break;
        }
        link = e.link;
        kind = Kind::unknown;
        if (state == State::connecting) {
          state = State::asking;
          say(out);
        }
        break;
      case env::EventKind::no_link:
        if (e.tag == connects && state == State::connecting) dial(out);
        break;
      case env::EventKind::link_down:
        if (e.link != link) break;
        link = 0;
        if (state != State::asking) break;
        state = State::failed;
        trouble = "the management server closed the connection";
        break;
      case env::EventKind::text:
        if (e.link != link || state != State::asking) break;
        input += e.data;
        parse(out);
        break;
      default:
        break;
    }
  }
  void dial(env::Outbox& out) {
    if (tried++ == servers.servers.size()) {
      state = State::failed;
      trouble.clear();
      return;
    }
    const client::Endpoint& s = servers.servers[at++ % servers.servers.size()];
    out.connect(++connects, s.host, s.port, true);
  }
  void say(env::Outbox& out) {
    out.link(link).raw(request);
    request.clear();
    input.clear();
  }
  void parse(env::Outbox& out) {
    const std::size_t end = input.find("\n\n");
    if (end == std::string::npos) {
      if (input.size() > limits::kFrameBytesMax) give_up(out);
      return;
    }
    reply = {};
    bool first = true;
    for (std::size_t i = 0; i <= end;) {
      const std::size_t eol = input.find('\n', i);
      std::string_view line = trimmed(std::string_view(input).substr(i, eol - i), kBlanks);
      i = eol + 1;
      const std::size_t colon = line.find(':');
      if (first && (colon == std::string_view::npos || line.substr(0, 7) != "result:")) {
        reply.header = std::string(line);
      } else if (colon != std::string_view::npos) {
        const std::string_view name = trimmed(line.substr(0, colon), kBlanks);
        reply.values[std::string(name)] = std::string(trimmed(line.substr(colon + 1), kBlanks));
      }
      first = false;
    }
    if (reply.header == "dump events reply" && !take_events(out, end + 2)) return;
    std::uint32_t bulk = 0;
    const std::string& length = reply.value("Content-Length");
    if (!length.empty()) {
      if (!number(length, limits::kFrameBytesMax, &bulk)) {
        give_up(out);
        return;
      }
      if (input.size() < end + 2 + bulk + 1) return;
      reply.bulk = input.substr(end + 2, bulk);
      if (reply.value("Content-Transfer-Encoding") == "base64") {
        std::string decoded;
        if (!client::base64_decode(reply.bulk, &decoded)) {
          give_up(out);
          return;
        }
        reply.bulk = std::move(decoded);
      }
    }
    state = State::answered;
  }
  // The events that follow, each with an empty line behind it, become the bulk. False: they are not all there yet.
  bool take_events(env::Outbox& out, std::size_t from) {
    constexpr std::uint32_t kEventsMost = 100'000;
    std::uint32_t events = 0;
    const std::string& count = reply.value("events");
    if (!count.empty() && !number(count, kEventsMost, &events)) {
      give_up(out);
      return false;
    }
    std::size_t begin = from;
    for (; events > 0; --events) {
      const std::size_t end = input.find("\n\n", begin);
      if (end == std::string::npos) return false;
      begin = end + 2;
    }
    reply.bulk = input.substr(from, begin - from);
    return true;
  }
  void give_up(env::Outbox& out) {
    out.close(link);
    link = 0;
    state = State::failed;
    trouble = "the management server's reply cannot be read";
  }
};

Management::Management(ConnectString servers) : impl_(std::make_unique<Impl>(std::move(servers))) {}
Management::~Management() = default;

Result<Management::Reply> Management::request(const std::string& command, const Keys& keys, const std::string& bulk,
                                              Time timeout) {
  using Kind = Impl::Kind;
  Impl& m = *impl_;
  if (!command.starts_with("ndb ")) return exchange(command, keys, bulk, timeout);
  // NDB's own server reads the keys and the bulk behind a command that it does not know as commands of their own.
  if ((m.kind == Kind::unknown || m.link == 0) && (!keys.empty() || !bulk.empty())) {
    auto probe = exchange("ndb check connection", {}, {}, timeout);
    if (!probe && !probe.failure().text.starts_with("Unknown command")) return probe;
    m.kind = probe ? Kind::ours : Kind::stock;
  }
  if (m.kind == Kind::stock) return Failure{Error::internal, "Unknown command, '" + command + "'"};
  return exchange(command, keys, bulk, timeout);
}

Result<Management::Reply> Management::exchange(const std::string& command, const Keys& keys, const std::string& bulk,
                                               Time timeout) {
  Impl& m = *impl_;
  m.request = command + "\n";
  for (const auto& [key, value] : keys) m.request += key + ": " + value + "\n";
  if (!bulk.empty())
    m.request += "Content-Length: " + std::to_string(bulk.size()) + "\n\n" + bulk + "\n";
  else
    m.request += "\n";
  m.tried = 0;
  m.state = m.link != 0 ? Impl::State::asking : Impl::State::connecting;
  const Time deadline = os::Loop::now() + timeout;
  m.loop->step(env::Event{});
  while (m.state == Impl::State::connecting || m.state == Impl::State::asking) {
    const Time left = deadline - os::Loop::now();
    if (left <= 0) {
      const bool sent = m.state == Impl::State::asking;
      if (m.link != 0) m.loop->outbox().close(m.link);
      m.link = 0;
      m.state = Impl::State::failed;
      if (sent) return Failure{Error::timed_out, "the management server did not answer '" + command + "' in time"};
      break;
    }
    m.loop->run_once(left);
  }
  if (m.state == Impl::State::failed) {
    return Failure{Error::unreachable,
                   m.trouble.empty() ? "no management server answers at '" + m.servers.text + "'" : m.trouble};
  }
  m.state = Impl::State::idle;
  const std::string& result = m.reply.value("result");
  if (result.empty() || result == "Ok") return m.reply;
  const std::size_t dash = result.find('-');
  std::uint32_t n = 0;
  if (dash != std::string::npos && number(std::string_view(result).substr(0, dash), 65535, &n)) {
    return Failure{static_cast<Error>(n), result.substr(dash + 1)};
  }
  return Failure{Error::internal, result};
}

Result<Management::Reply> Management::ask(const std::string& command, const Keys& keys, Time timeout) {
  for (std::size_t others = impl_->servers.servers.size() - 1;; others--) {
    auto r = request(command, keys, {}, others == 0 ? timeout : std::min(timeout, kSilence));
    const bool silent = !r && (r.failure().error == Error::unreachable || r.failure().error == Error::timed_out);
    if (!silent || others == 0) return r;
  }
}

const Management::Reply& Management::last_reply() const { return impl_->reply; }

std::string Management::draw_request_id() {
  static const char digits[] = "0123456789abcdef";
  std::string id;
  for (int half = 0; half < 2; half++) {
    std::uint64_t r = os::random_seed();
    for (int i = 0; i < 16; i++, r >>= 4) id += digits[r & 15];
  }
  return id;
}

client::ClientOptions client_options(const ConnectString& c) {
  client::ClientOptions o;
  do {
    o.session = os::random_seed();
  } while (o.session == 0);
  o.seed = os::random_seed();
  o.node = c.node_id;
  o.management = c.servers;
  return o;
}

namespace {

class LoopHost : public client::Host {
 public:
  explicit LoopHost(env::Machine& machine) : loop_(machine, quiet()) {}
  Time now() override { return os::Loop::now(); }
  void pump(Time most) override { loop_.run_once(most); }
  void kick() override { loop_.step(env::Event{}); }
  void post(std::function<void()> f) override {
    loop_.post([this, f = std::move(f)] {
      f();
      loop_.step(env::Event{});
    });
  }

 private:
  static os::LoopOptions quiet() {
    os::LoopOptions o;
    o.log_from = env::Severity::critical;  // a tool says itself what went wrong
    return o;
  }
  os::Loop loop_;
};

}  // namespace

client::MakeHost loop_host() {
  return [](env::Machine& m) { return std::make_unique<LoopHost>(m); };
}

Result<std::shared_ptr<client::Cluster>> connect_cluster(const ConnectString& servers, Time timeout) {
  auto c = client::Cluster::connect(client_options(servers), loop_host(), timeout);
  if (!c)
    return Failure{c.error(), "cannot connect to the cluster at '" + servers.text + "': " + c.failure().sentence()};
  return c;
}

Result<std::shared_ptr<client::Cluster>> connect_cluster(const std::string& connectstring, Time timeout) {
  auto servers = find_connectstring(connectstring);
  if (!servers) return servers.failure();
  return connect_cluster(*servers, timeout);
}

}  // namespace ndb::cli
