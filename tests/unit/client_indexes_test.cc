// Unique indexes, kept by the client: which operations a step becomes, and the stages in which it goes.
#include "client/indexes.h"
#include "unit/client_machine_world.h"

using namespace ndb;
using namespace ndb::test;
using store::Value;
using wire::Op;

namespace {

constexpr TableId kPeople = 2, kByNumber = 3;

// Beside table `t`: people (id int primary key, number int, note varchar(20)), unique (number).
std::shared_ptr<meta::Catalog> catalog(View view = 10) {
  auto c = two_nodes(view);
  meta::Table t;
  t.id = kPeople;
  t.name = "people";
  t.columns = {{"id", meta::Type::integer, 0, 0, 0, false, {}},
               {"number", meta::Type::integer, 0, 0, 0, true, {}},
               {"note", meta::Type::varchar, 20, 0, 0, true, {}}};
  t.primary_key = {0};
  t.distribution = c->table(kTable)->distribution;
  t.unique = {{"number", {1}, kByNumber}};
  meta::Table hidden = meta::hidden_table(t, t.unique[0]);
  hidden.id = kByNumber;
  hidden.distribution = t.distribution;
  c->tables[kPeople] = std::make_shared<meta::Table>(t);
  c->tables[kByNumber] = std::make_shared<meta::Table>(hidden);
  c->next_table = 4;
  return c;
}

const client::IndexedTable& people() {
  static const auto table = client::IndexedTable::make(*catalog(), kPeople);
  return *table;
}

constexpr int kNull = -1;
Value number(int n) { return n == kNull ? Value::null() : Value::of_int(n); }
std::string row(int id, int n, Bytes note = "x") {
  Writer w;
  REQUIRE(people().shape().encode(std::vector<Value>{Value::of_int(id), number(n), Value::of_bytes(note)}, w) ==
          Error::ok);
  return std::string(w.view());
}
std::string key(int id) {
  Writer w;
  REQUIRE(people().shape().encode_key(std::vector<Value>{Value::of_int(id)}, w) == Error::ok);
  return std::string(w.view());
}
std::string patch(std::uint16_t column, const Value& v) {
  Writer w;
  REQUIRE(people().shape().encode_patch(column, v, w) == Error::ok);
  return std::string(w.view());
}

const char* name_of(Op op) {
  static const char* const names[] = {"",       "read",    "read_shared", "read_exclusive", "insert",
                                      "update", "replace", "write",       "remove"};
  return names[static_cast<int>(op)];
}

// The operations of a request in words: "insert 7 (number 5)", "insert number 5 -> 7".
std::vector<std::string> words(Bytes operations) {
  std::vector<std::string> all;
  const store::RowShape& hidden = people().index(0).shape;
  while (!operations.empty()) {
    const auto op = load<wire::Operation>(operations.data());
    const Bytes k = operations.substr(sizeof op, op.key_bytes);
    const Bytes p = operations.substr(sizeof op + op.key_bytes, op.payload_bytes);
    operations.remove_prefix(sizeof op + k.size() + p.size());
    std::string s = name_of(op.kind);
    s += (op.table == kByNumber ? " number " : " ") + std::to_string(load<std::int32_t>(k.data()));
    if (op.table == kByNumber && op.kind == Op::insert) s += " -> " + std::to_string(hidden.get(p, 1).i);
    CHECK(+op.hash == (op.table == kByNumber ? hidden : people().shape()).hash(k));
    CHECK((op.keeps_indexes == 1) == (op.table != kTable));
    all.push_back(std::move(s));
  }
  return all;
}

struct Step {
  Writer operations;
  std::uint16_t count = 0;
  client::Upkeep upkeep;
  Error error = Error::ok;

  Step& add(Op op, int id, Bytes payload = {}) {
    const std::string k = key(id);
    operations.put(wire::Operation{op, 0, static_cast<std::uint16_t>(k.size()),
                                   static_cast<std::uint32_t>(payload.size()), kPeople, people().shape().hash(k)});
    operations.raw(k);
    operations.raw(payload);
    count++;
    return *this;
  }
  std::vector<std::string> reads() {
    error =
        upkeep.begin(operations.view(), count, [](TableId id) { return client::IndexedTable::make(*catalog(), id); });
    Writer w;
    upkeep.write_reads(w);
    return words(w.view());
  }
  // `rows`: what each of the reads found; empty = nothing.
  std::vector<std::string> writes(const std::vector<std::string>& rows = {}) {
    Writer found;
    for (const std::string& r : rows) {
      found.put(wire::OpResult{r.empty() ? Error::no_such_row : Error::ok, 0, static_cast<std::uint32_t>(r.size())});
      found.raw(r);
    }
    upkeep.take_images(found.view());
    Writer w;
    std::uint16_t all = 0;
    error = upkeep.write_step(w, &all);
    if (error != Error::ok) return {};
    auto said = words(w.view());
    CHECK(said.size() == all);
    return said;
  }
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("an insert brings its index row, a null has none") {
  Step s;
  s.add(Op::insert, 7, row(7, 50)).add(Op::insert, 8, row(8, kNull));
  CHECK(s.reads().empty());
  CHECK(s.writes() == Said{"insert 7", "insert 8", "insert number 50 -> 7"});
  CHECK_FALSE(s.upkeep.raced());
}

TEST_CASE("a remove reads the row and takes its index row along") {
  Step s;
  s.add(Op::remove, 7).add(Op::remove, 8);
  CHECK(s.reads() == Said{"read_exclusive 7", "read_exclusive 8"});
  CHECK(s.writes({row(7, 50), row(8, kNull)}) == Said{"remove 7", "remove 8", "remove number 50"});
}

TEST_CASE("an update moves the index row, unless no indexed column changes") {
  Step same;
  same.add(Op::update, 7, patch(2, Value::of_bytes("y")));
  CHECK(same.reads().empty());
  CHECK(same.writes() == Said{"update 7"});
  Step s;
  s.add(Op::update, 7, patch(1, Value::of_int(60)));
  CHECK(s.reads() == Said{"read_exclusive 7"});
  CHECK(s.writes({row(7, 50)}) == Said{"update 7", "remove number 50", "insert number 60 -> 7"});
  CHECK(s.writes({row(7, 60)}) == Said{"update 7"});
  CHECK(s.writes({row(7, kNull)}) == Said{"update 7", "insert number 60 -> 7"});
  Step to_null;
  to_null.add(Op::update, 7, patch(1, Value::null()));
  to_null.reads();
  CHECK(to_null.writes({row(7, 50)}) == Said{"update 7", "remove number 50"});
  Step replace;
  replace.add(Op::replace, 7, row(7, 51));
  replace.reads();
  CHECK(replace.writes({row(7, 50)}) == Said{"replace 7", "remove number 50", "insert number 51 -> 7"});
}

TEST_CASE("a write of a row that is not there becomes an insert, which may be raced") {
  Step s;
  s.add(Op::write, 7, row(7, 50));
  CHECK(s.reads() == Said{"read_exclusive 7"});
  CHECK(s.writes({row(7, 40)}) == Said{"write 7", "remove number 40", "insert number 50 -> 7"});
  CHECK_FALSE(s.upkeep.raced());
  CHECK(s.writes({""}) == Said{"insert 7", "insert number 50 -> 7"});
  CHECK(s.upkeep.raced());
}

TEST_CASE("what has to find a row that is not there is no such row, before anything is written") {
  for (Op op : {Op::update, Op::replace, Op::remove}) {
    Step s;
    s.add(op, 7, op == Op::remove ? "" : op == Op::update ? patch(1, number(4)) : row(7, 4));
    s.reads();
    s.writes({""});
    CHECK(s.error == Error::no_such_row);
  }
}

TEST_CASE("only the difference that a step makes is written to the index") {
  Step s;  // one row changes twice, two exchange their values
  s.add(Op::insert, 7, row(7, 50)).add(Op::update, 7, patch(1, Value::of_int(51)));
  s.add(Op::update, 8, patch(1, Value::of_int(90))).add(Op::update, 9, patch(1, Value::of_int(80)));
  CHECK(s.reads() == Said{"read_exclusive 8", "read_exclusive 9"});
  CHECK(s.writes({row(8, 80), row(9, 90)}) == Said{"insert 7", "update 7", "update 8", "update 9", "remove number 80",
                                                   "remove number 90", "insert number 51 -> 7", "insert number 90 -> 8",
                                                   "insert number 80 -> 9"});
  Step gone;
  gone.add(Op::insert, 7, row(7, 50)).add(Op::remove, 7);
  CHECK(gone.reads().empty());
  CHECK(gone.writes() == Said{"insert 7", "remove 7"});
  Step again;  // the second operation needs what the first did not
  again.add(Op::update, 7, patch(2, Value::of_bytes("y"))).add(Op::remove, 7);
  CHECK(again.reads() == Said{"read_exclusive 7"});
  CHECK(again.writes({row(7, 50)}) == Said{"update 7", "remove 7", "remove number 50"});
}

TEST_CASE("a malformed image is refused before anything is sent") {
  Step s;
  s.add(Op::insert, 7, "image");
  s.reads();
  CHECK(s.error == Error::bad_row_image);
  Step other;
  other.add(Op::insert, 7, row(8, 1));
  other.reads();
  CHECK(other.error == Error::bad_row_image);
}

// ---- the machine

namespace {

Handle send(World& w, Op op, int id, Bytes payload, int flags = wire::kCommit) {
  const Handle h = w.machine.open(static_cast<std::uint64_t>(id));
  const std::string k = key(id);
  w.machine.add(h, op, kPeople, people().shape().hash(k), k, payload);
  w.machine.send(h, static_cast<std::uint8_t>(flags));
  w.machine.flush(w.now, w.out);
  w.carry_out();
  return h;
}

wire::Execute head_of(const World::Sent& s) { return load<wire::Execute>(s.body.data()); }
Said words(const World::Sent& s) { return words(Bytes(s.body).substr(sizeof(wire::Execute))); }

}  // namespace

TEST_CASE("an insert is one message with its index row, and one result") {
  World w(with_catalog(catalog()));
  const Handle h = send(w, Op::insert, 7, row(7, 50), wire::kCommit | wire::kKeepGoing);
  const auto said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"insert 7", "insert number 50 -> 7"});
  CHECK(+head_of(said).flags == (wire::kBegin | wire::kCommit));  // it fails as a whole
  CHECK(+head_of(said).operations == 2);
  w.reply(said, Error::unique_violation, wire::TxnState::aborted);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->error == Error::unique_violation);  // not temporary: not repeated
  w.machine.release(h);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("an update reads the old row under a lock and commits with the second message") {
  World w(with_catalog(catalog()));
  const Handle h = send(w, Op::update, 7, patch(1, Value::of_int(60)), wire::kCommit | wire::kDurable);
  auto said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"read_exclusive 7"});
  CHECK(+head_of(said).flags == wire::kBegin);
  const std::uint64_t drawn = head_of(said).number;
  w.reply(said, Error::ok, wire::TxnState::open, 10, row(7, 50));
  CHECK(w.machine.take() == nullptr);
  said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"update 7", "remove number 50", "insert number 60 -> 7"});
  CHECK(+head_of(said).flags == (wire::kCommit | wire::kDurable));
  CHECK(+head_of(said).number == drawn);
  w.reply(said, Error::ok, wire::TxnState::committed);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->state == wire::TxnState::committed);
  CHECK(+r->results == 1);
  w.machine.release(h);
  CHECK_FALSE(w.said(wire::Type::execute));
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("a temporary error of the second message starts over with the reads, under a new number") {
  World w(with_catalog(catalog()));
  send(w, Op::remove, 7, {});
  auto said = w.expect(wire::Type::execute);
  const std::uint64_t drawn = head_of(said).number;
  w.reply(said, Error::ok, wire::TxnState::open, 10, row(7, 50));
  said = w.expect(wire::Type::execute);
  w.reply(said, Error::lock_timeout, wire::TxnState::aborted);
  w.run(60 * kMillisecond);
  said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"read_exclusive 7"});
  CHECK(+head_of(said).flags == wire::kBegin);
  CHECK(+head_of(said).number != drawn);
  w.reply(said, Error::ok, wire::TxnState::open, 10, row(7, 51));  // somebody has changed it in between
  said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"remove 7", "remove number 51"});
}

TEST_CASE("a row that is not there ends the transaction at its node, and is said") {
  World w(with_catalog(catalog()));
  const Handle h = send(w, Op::remove, 7, {});
  w.reply(w.expect(wire::Type::execute), Error::no_such_row, wire::TxnState::open);
  CHECK(w.machine.take() == nullptr);
  const auto said = w.expect(wire::Type::execute);
  CHECK(+head_of(said).flags == wire::kAbort);
  CHECK(+head_of(said).operations == 0);
  w.reply(said, Error::ok, wire::TxnState::aborted);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->error == Error::no_such_row);
  CHECK(r->state == wire::TxnState::aborted);
  w.machine.release(h);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("a write whose row is made meanwhile is done again, three times at most") {
  World w(with_catalog(catalog()));
  send(w, Op::write, 7, row(7, 50));
  for (int i = 0; i < 4; i++) {
    w.reply(w.expect(wire::Type::execute), Error::no_such_row, wire::TxnState::open);
    const auto said = w.expect(wire::Type::execute);
    CHECK(words(said) == Said{"insert 7", "insert number 50 -> 7"});
    CHECK(w.machine.take() == nullptr);
    w.reply(said, Error::row_exists, wire::TxnState::aborted);
    if (i < 3) w.run(60 * kMillisecond);
  }
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->error == Error::row_exists);
}

TEST_CASE("the link lost between the messages: nothing has happened, all is done again") {
  World w(with_catalog(catalog()));
  send(w, Op::remove, 7, {});
  auto said = w.expect(wire::Type::execute);
  w.lose(said.node);
  w.run(200 * kMillisecond);
  said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"read_exclusive 7"});
  w.reply(said, Error::ok, wire::TxnState::open, 10, row(7, 50));
  said = w.expect(wire::Type::execute);
  w.lose(said.node);  // the commit may have got there
  w.run(200 * kMillisecond);
  CHECK_FALSE(w.said(wire::Type::execute));
  w.tell_outcome(w.expect(wire::Type::outcome), 1);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->state == wire::TxnState::committed);
  w.machine.release(r->handle);
  CHECK_FALSE(w.said(wire::Type::execute));  // and nothing is aborted behind it
  CHECK(w.machine.in_use() == 0);
}

namespace {

// A remove whose old row was read, and whose second message does not get away: the link is full.
Handle stuck_in_between(World& w, World::Sent* said) {
  const Handle h = send(w, Op::remove, 7, {});
  *said = w.expect(wire::Type::execute);
  w.out.slot(w.link_of[said->node]).unsent = 2 * limits::kFrameBytesFull;
  w.reply(*said, Error::ok, wire::TxnState::open, 10, row(7, 50));
  CHECK_FALSE(w.said(wire::Type::execute));
  return h;
}

}  // namespace

TEST_CASE("the deadline between the messages: the owner hears of it, the node is told to forget") {
  auto options = with_catalog(catalog());
  options.deadline = 300 * kMillisecond;
  World w(options);
  World::Sent said;
  const Handle h = stuck_in_between(w, &said);
  w.run(400 * kMillisecond);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->state == wire::TxnState::aborted);
  w.out.slot(w.link_of[said.node]).unsent = 0;
  w.machine.release(h);
  w.machine.flush(w.now, w.out);
  w.carry_out();
  const auto forget = w.expect(wire::Type::execute);
  CHECK(+head_of(forget).flags == wire::kAbort);
  CHECK(+head_of(forget).number == +head_of(said).number);
  w.reply(forget, Error::ok, wire::TxnState::aborted);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("the link lost while the second message waits for room: all is done again") {
  World w(with_catalog(catalog()));
  World::Sent said;
  stuck_in_between(w, &said);
  w.out.slot(w.link_of[said.node]).unsent = 0;
  w.lose(said.node);
  w.run(200 * kMillisecond);
  const auto again = w.expect(wire::Type::execute);
  CHECK(words(again) == Said{"read_exclusive 7"});
  CHECK(+head_of(again).number != +head_of(said).number);
}

TEST_CASE("released while its reads are on their way, a step goes on unheard") {
  World w(with_catalog(catalog()));
  const Handle h = send(w, Op::remove, 7, {});
  w.machine.release(h);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::open, 10, row(7, 50));
  const auto said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"remove 7", "remove number 50"});
  w.reply(said, Error::ok, wire::TxnState::committed);
  CHECK(w.machine.take() == nullptr);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("a step of an open transaction keeps its indexes, and is not repeated") {
  World w(with_catalog(catalog()));
  const Handle h = send(w, Op::insert, 7, row(7, 50), 0);
  w.reply(w.expect(wire::Type::execute), Error::ok, wire::TxnState::open);
  const client::StepResult* r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->state == wire::TxnState::open);
  const std::string k = key(7);
  w.machine.add(h, Op::remove, kPeople, people().shape().hash(k), k);
  w.machine.send(h, wire::kCommit);
  w.machine.flush(w.now, w.out);
  w.carry_out();
  auto said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"read_exclusive 7"});
  CHECK(+head_of(said).flags == 0);
  w.reply(said, Error::ok, wire::TxnState::open, 10, row(7, 50));
  said = w.expect(wire::Type::execute);
  CHECK(words(said) == Said{"remove 7", "remove number 50"});
  CHECK(+head_of(said).flags == wire::kCommit);
  w.reply(said, Error::lock_timeout, wire::TxnState::aborted);
  r = w.machine.take();
  REQUIRE(r != nullptr);
  CHECK(r->error == Error::lock_timeout);
  w.machine.release(h);
  CHECK(w.machine.in_use() == 0);
}

TEST_CASE("a table that the client does not know yet is looked for before anything is written to it") {
  World w(with_catalog(two_nodes(9)));
  send(w, Op::insert, 7, row(7, 50));
  CHECK_FALSE(w.said(wire::Type::execute));
  w.insert(0);  // a link, to ask somebody
  w.run(60 * kMillisecond);
  w.expect(wire::Type::execute);
  w.give_catalog(w.expect(wire::Type::get_catalog), catalog().get());
  w.run(60 * kMillisecond);
  CHECK(words(w.expect(wire::Type::execute)) == Said{"insert 7", "insert number 50 -> 7"});
}
