// A cluster that is a map in memory, behind client::Host: for tests of the blocking API and of what stands on it. It
// speaks the real messages. Isolation is not its subject: transactions change the map at once and undo on abort.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <chrono>
#include <map>
#include <mutex>

#include "client/cluster.h"
#include "store/filter.h"

namespace ndb::tests {

class FakeCluster {
 public:
  using Rows = std::map<std::string, std::string>;  // key -> image

  FakeCluster() {
    catalog.version = catalog.view = 10;
    catalog.cluster_id = 77;
    catalog.name = "MC";
    catalog.started = true;
    for (NodeId id = 1; id <= 2; id++) {
      meta::Node n;
      n.id = id;
      n.group = 0;
      n.state = meta::NodeState::in_sync;
      n.incarnation = 1;
      n.address = n.host = "10.0.0." + std::to_string(id);
      n.port = static_cast<std::uint16_t>(1000 + id);
      catalog.nodes[id] = n;
    }
    catalog.groups[0] = meta::Group{0, {1, 2}, 10};
  }
  void add_table(meta::Table t) {
    t.id = catalog.next_table++;
    t.distribution.groups.assign(2, 0);
    t.distribution.map = meta::initial_map(2);
    t.distribution.view = ++catalog.view;
    catalog.version++;
    for (meta::UniqueIndex& u : t.unique) {
      meta::Table hidden = meta::hidden_table(t, u);
      u.table = hidden.id = catalog.next_table++;
      hidden.distribution = t.distribution;
      shapes[hidden.id] = *store::RowShape::make(hidden);
      catalog.tables[hidden.id] = std::make_shared<meta::Table>(hidden);
    }
    shapes[t.id] = *store::RowShape::make(t);
    catalog.tables[t.id] = std::make_shared<meta::Table>(t);
  }
  void drop_table(const std::string& name) {
    const meta::Table* t = catalog.table(name);
    for (const meta::UniqueIndex& u : std::vector(t->unique)) {
      rows.erase(u.table);
      catalog.tables.erase(u.table);
    }
    rows.erase(t->id);
    catalog.tables.erase(t->id);
    catalog.version++;
    catalog.view++;
  }
  client::ClientOptions options() {
    client::ClientOptions o;
    o.session = 0x5e55;
    o.seed = 1;
    o.catalog = std::make_shared<meta::Catalog>(catalog);
    return o;
  }
  client::MakeHost host() {
    return [this](env::Machine& m) { return std::make_unique<Host>(*this, m); };
  }

  meta::Catalog catalog;
  bool last_durable = false;  // the last commit asked to wait until it is on disk
  std::map<TableId, store::RowShape> shapes;
  std::map<TableId, Rows> rows;
  std::deque<Error> fail_next;  // the next executes are aborted with these; outcome_unknown: done, but nobody can tell
  std::uint8_t outcome = 0;     // what is told to who asks for one: 0 = nobody can tell, 1 = committed, 2 = aborted
  std::size_t executes = 0, operations = 0, scans = 0, one_shots = 0;
  std::function<void()> before_scan_batch;

 private:
  struct Undo {
    TableId table;
    std::string key;
    bool had;
    std::string image;
  };
  struct Cursor {
    TableId table;
    FragmentId fragment;
    store::Filter filter;
    bool count_only;
    std::string after;
    bool begun = false;
    std::uint64_t scanned = 0;
  };

  class Host : public client::Host {
   public:
    Host(FakeCluster& c, env::Machine& m) : cluster_(c), machine_(m) {}
    Time now() override {
      return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    }
    void kick() override {
      machine_.step(now(), env::Event{}, out_);
      settle();
    }
    void pump(Time most) override {
      std::unique_lock lock(mutex_);
      Time wait = std::min(most, std::max<Time>(0, wake_ - now()));
      wait = std::min(wait, kSecond);
      if (posted_.empty()) posted_changed_.wait_for(lock, std::chrono::nanoseconds(wait));
      auto now_posted = std::move(posted_);
      posted_.clear();
      lock.unlock();
      for (auto& f : now_posted) f();
      out_.begin_step();
      kick();
      wake_ = out_.wake;
    }
    void post(std::function<void()> f) override {
      std::lock_guard lock(mutex_);
      posted_.push_back(std::move(f));
      posted_changed_.notify_all();
    }

   private:
    void settle() {
      for (bool more = true; more;) {
        more = false;
        for (auto& c : std::exchange(out_.connects, {})) {
          env::Event e;
          e.kind = env::EventKind::link_up;
          e.tag = c.tag;
          e.link = static_cast<env::LinkId>(c.port - 1000);
          machine_.step(now(), e, out_);
          more = true;
        }
        for (auto l : std::exchange(out_.touched(), {})) {
          std::string payload(out_.slot(l).bytes.view());
          out_.slot(l).bytes.clear();
          out_.slot(l).touched = false;
          Writer answers;
          Bytes rest = payload;
          wire::Message m;
          bool damaged = false;
          while (wire::next_message(rest, &m, &damaged)) cluster_.answer(static_cast<NodeId>(l), m, answers);
          if (answers.empty()) continue;
          env::Event e;
          e.kind = env::EventKind::frame;
          e.link = l;
          e.data = answers.view();
          machine_.step(now(), e, out_);
          more = true;
        }
      }
    }
    FakeCluster& cluster_;
    env::Machine& machine_;
    env::Outbox out_;
    Time wake_ = 0;
    std::mutex mutex_;
    std::condition_variable posted_changed_;
    std::vector<std::function<void()>> posted_;
  };

  void answer(NodeId node, const wire::Message& m, Writer& w) {
    switch (static_cast<wire::Type>(m.type)) {
      case wire::Type::hello: {
        wire::Hello h;
        h.kind = wire::PeerKind::data;
        h.node = node;
        auto at = wire::begin_message(w, wire::Type::hello, 0, kControl);
        wire::encode(w, h);
        wire::end_message(w, at);
        break;
      }
      case wire::Type::get_catalog: {
        auto at = wire::begin_message(w, wire::Type::catalog, 0, kControl);
        w.u32(load<std::uint32_t>(m.body.data()));
        w.u64(catalog.version);
        if (load<std::uint64_t>(m.body.data() + 4) < catalog.version) meta::encode(w, catalog);
        wire::end_message(w, at);
        break;
      }
      case wire::Type::execute:
        execute(m.body, w);
        break;
      case wire::Type::outcome: {
        auto at = wire::begin_message(w, wire::Type::outcome_reply, 0, m.to);
        w.u32(load<std::uint32_t>(m.body.data()));
        w.u8(outcome);
        w.put(Error::ok);
        w.u64(catalog.view);
        w.u64(0);
        wire::end_message(w, at);
        break;
      }
      case wire::Type::scan_open:
        open_scan(m.body, w);
        break;
      case wire::Type::scan_next:
        next_batch(m.body, w);
        break;
      default:
        break;
    }
  }

  void undo(std::vector<Undo>& log) {
    for (auto u = log.rbegin(); u != log.rend(); ++u) {
      if (u->had)
        rows[u->table][u->key] = u->image;
      else
        rows[u->table].erase(u->key);
    }
    log.clear();
  }

  void execute(Bytes body, Writer& w) {
    executes++;
    auto head = load<wire::Execute>(body.data());
    if (head.flags & wire::kCommit) last_durable = (head.flags & wire::kDurable) != 0;
    body.remove_prefix(sizeof head);
    auto& log = open_[head.number];
    wire::ExecuteReply reply{};
    reply.request = head.request;
    reply.view = catalog.view;
    reply.state = wire::TxnState::open;
    Writer results;
    if ((head.flags & wire::kBegin) != 0 && (head.flags & wire::kCommit) != 0) one_shots++;
    if (!fail_next.empty()) {
      reply.error = fail_next.front();
      fail_next.pop_front();
      if (reply.error != Error::ok) reply.state = wire::TxnState::aborted;
      if (reply.error == Error::outcome_unknown) reply.state = wire::TxnState::unknown;
    }
    for (int i = 0; i < head.operations && reply.state == wire::TxnState::open; i++) {
      operations++;
      auto op = load<wire::Operation>(body.data());
      std::string key(body.substr(sizeof op, op.key_bytes));
      Bytes payload = body.substr(sizeof op + op.key_bytes, op.payload_bytes);
      body.remove_prefix(sizeof op + op.key_bytes + op.payload_bytes);
      std::string image;
      Error e = one(op, key, payload, log, &image);
      const bool read = op.kind <= wire::Op::read_exclusive;
      results.put(wire::OpResult{e, 0, static_cast<std::uint32_t>(image.size())});
      results.raw(image);
      reply.results++;
      if (e != Error::ok && reply.error == Error::ok) reply.error = e;
      if (e != Error::ok && !read) reply.state = wire::TxnState::aborted;
    }
    if ((head.flags & wire::kAbort) != 0) reply.state = wire::TxnState::aborted;
    if (reply.state == wire::TxnState::aborted)
      undo(log);
    else if ((head.flags & wire::kCommit) != 0 && reply.state == wire::TxnState::open)
      reply.state = wire::TxnState::committed;
    if (reply.state != wire::TxnState::open) open_.erase(head.number);
    auto at = wire::begin_message(w, wire::Type::execute_reply, 0, 0);
    w.put(reply);
    w.raw(results.view());
    wire::end_message(w, at);
  }

  Error one(const wire::Operation& op, const std::string& key, Bytes payload, std::vector<Undo>& log,
            std::string* image) {
    if (shapes.count(op.table) == 0 || catalog.table(op.table) == nullptr) return Error::no_such_table;
    Rows& table = rows[op.table];
    auto row = table.find(key);
    const bool there = row != table.end();
    if (op.kind <= wire::Op::read_exclusive) {
      if (!there) return Error::no_such_row;
      *image = row->second;
      return Error::ok;
    }
    const meta::Table& definition = *catalog.table(TableId{op.table});
    if (definition.kept_by_clients() && op.keeps_indexes == 0) return Error::indexes_not_kept;
    if (op.kind == wire::Op::insert && there) {
      return definition.index_of != 0 ? Error::unique_violation : Error::row_exists;
    }
    const bool needs = op.kind == wire::Op::update || op.kind == wire::Op::replace || op.kind == wire::Op::remove;
    if (needs && !there) return Error::no_such_row;
    std::string next(payload);
    if (op.kind == wire::Op::update) {
      Writer w;
      if (Error e = shapes[op.table].apply_update(row->second, payload, w); e != Error::ok) return e;
      next = std::string(w.view());
    } else if (op.kind != wire::Op::remove && !shapes[op.table].valid_image(payload)) {
      return Error::bad_row_image;
    }
    log.push_back({op.table, key, there, there ? row->second : ""});
    if (op.kind == wire::Op::remove)
      table.erase(row);
    else
      table[key] = next;
    return Error::ok;
  }

  void open_scan(Bytes body, Writer& w) {
    scans++;
    auto open = load<wire::ScanOpen>(body.data());
    wire::ScanBatch b{};
    b.request = open.request;
    b.view = catalog.view;
    if (catalog.table(open.table) == nullptr) {
      b.error = Error::no_such_table;
    } else {
      auto filter = store::Filter::parse(body.substr(sizeof open), shapes[open.table]);
      if (!filter)
        b.error = filter.error();
      else {
        b.scan = ++next_scan_;
        cursors_[b.scan] = {open.table, open.fragment, *filter, (open.flags & wire::kScanCountOnly) != 0, "", false, 0};
      }
    }
    put(w, b, {});
  }

  void next_batch(Bytes body, Writer& w) {
    if (before_scan_batch) before_scan_batch();
    auto next = load<wire::ScanNext>(body.data());
    Cursor& c = cursors_[next.scan];
    wire::ScanBatch b{};
    b.request = next.request;
    b.scan = next.scan;
    b.view = catalog.view;
    Writer images;
    Rows& table = rows[c.table];
    auto i = c.begun ? table.upper_bound(c.after) : table.begin();
    c.begun = true;
    for (; i != table.end() && b.rows < 100; ++i) {
      c.after = i->first;
      const auto bucket = meta::bucket_of(shapes[c.table].hash(i->first));
      if (catalog.table(c.table)->distribution.map[bucket] != c.fragment) continue;
      c.scanned++;
      if (!c.filter.matches(i->second)) continue;
      b.rows++;
      if (!c.count_only) images.bytes32(i->second);
    }
    b.done = i == table.end();
    b.scanned = c.scanned;
    put(w, b, images.view());
  }

  static void put(Writer& w, const wire::ScanBatch& b, Bytes images) {
    auto at = wire::begin_message(w, wire::Type::scan_batch, 0, 0);
    w.put(b);
    w.raw(images);
    wire::end_message(w, at);
  }

  std::map<std::uint64_t, std::vector<Undo>> open_;
  std::map<std::uint32_t, Cursor> cursors_;
  std::uint32_t next_scan_ = 0;
};

}  // namespace ndb::tests
