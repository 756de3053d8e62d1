// Recovery: a worker that writes, flushes, checkpoints and crashes at random comes back exactly at the epoch asked for.
#include <catch2/catch.hpp>
#include <map>

#include "base/prng.h"
#include "sim/memory_disk.h"
#include "store/recover.h"
#include "unit/store_tables.h"

using namespace ndb;
using namespace ndb::store;
using namespace ndb::store::testing;
using sim::MemoryDisk;

namespace {

constexpr std::uint32_t kFragments = 3, kKeys = 40;

// What the world should look like: by fragment and key, the value.
using Model = std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>;

struct Record {                      // as a worker's record would be, but small
  std::uint32_t key = 0, value = 0;  // value 0 = removed
};

struct Plain {
  char image[40] = {};
  Plain(std::uint32_t n, std::uint32_t v) {
    save(image, n);
    save(image + 8, v);
  }
  Bytes view() const { return {image, 40}; }
  Bytes key() const { return {image, 8}; }
  std::uint64_t hash() const { return key_hash(key()); }
};

// One worker: its rows, and how they come back.
struct Worker : RecoverySink, CheckpointWriter::Source {
  Memory memory{64u << 20};
  Slab slab{memory};
  RowShape shape{shape_of(plain_table())};
  std::map<FragmentRef, std::unique_ptr<Fragment>> fragments;
  std::map<FragmentRef, Sequence> sequences;
  int resets = 0;

  Fragment& fragment_of(const FragmentRef& ref) {
    auto& f = fragments[ref];
    if (!f) f = std::make_unique<Fragment>(slab, memory, shape);
    return *f;
  }
  void set(const FragmentRef& ref, Sequence s, Record r) {
    const Plain p(r.key, r.value);
    Fragment& f = fragment_of(ref);
    if (r.value == 0) {
      f.remove(p.key(), p.hash());
    } else {
      REQUIRE(f.put(p.key(), p.hash(), p.view(), s) == Error::ok);
    }
    sequences[ref] = std::max(sequences[ref], s);
  }
  Model model() const {
    Model m;
    for (const auto& [ref, f] : fragments) {
      std::vector<RowRef> rows;
      for (std::uint64_t c = 0; c != kScanEnd;) c = f->scan(c, rows);
      for (RowRef r : rows) {
        const Bytes i = f->image(r);
        m[{ref.fragment, load<std::uint32_t>(i.data())}] = load<std::uint32_t>(i.data() + 8);
      }
    }
    return m;
  }

  void reset() override {
    fragments.clear();
    sequences.clear();
    resets++;
  }
  Failure fragment(const CheckpointFragment& f, Bytes state) override {
    REQUIRE(state == "state");
    fragment_of(f.ref);
    sequences[f.ref] = f.sequence;
    return {};
  }
  Failure row(const FragmentRef& ref, Sequence s, Bytes image) override {
    const Plain p(load<std::uint32_t>(image.data()), load<std::uint32_t>(image.data() + 8));
    REQUIRE(fragment_of(ref).put(p.key(), p.hash(), p.view(), s) == Error::ok);
    return {};
  }
  Failure fragment_end(const FragmentRef&) override { return {}; }
  Failure created(const FragmentRef& ref) override {
    fragments.erase(ref);
    sequences.erase(ref);
    fragment_of(ref);
    return {};
  }
  Failure dropped(const FragmentRef& ref) override {
    fragments.erase(ref);
    sequences.erase(ref);
    return {};
  }
  std::string last_state;
  Failure state(const FragmentRef&, Bytes bytes) override {
    last_state = bytes;
    return {};
  }
  Failure apply(const FragmentRef& ref, Sequence s, Epoch, Bytes record) override {
    set(ref, s, load<Record>(record.data()));
    return {};
  }

  // checkpoint's source
  std::uint32_t next_fragment = 0;
  RedoWriter* redo = nullptr;
  Fragment* next(CheckpointFragment* f, Writer& state) override {
    while (next_fragment < kFragments) {
      const FragmentRef ref{5, static_cast<FragmentId>(next_fragment++)};
      auto i = fragments.find(ref);
      if (i == fragments.end()) continue;
      *f = {ref, sequences[ref], redo->position()};
      state.raw("state");
      return i->second.get();
    }
    return nullptr;
  }
};

constexpr RedoLayout kRing{4096 + (32 << 10), 4};

// Runs lives of a worker on one disk, and checks each start against what was done.
struct Story {
  MemoryDisk disk{kRing};
  Prng prng;
  std::map<Epoch, Model> at_end_of{{0, {}}};  // of each epoch that was complete
  Model now;
  Epoch epoch = 1, durable = 0;  // the epoch being worked in; the last one that all know to be durable
  Sequence sequence = 0;
  std::uint32_t value = 1;
  std::uint64_t used = 0, unused = 0, cut = 0, laps = 0;

  std::unique_ptr<Worker> worker;
  std::unique_ptr<RedoWriter> redo;
  std::unique_ptr<CheckpointWriter> writer;
  struct Finished {
    std::uint64_t id, from;
    Epoch newest;
    bool on_disk;
  };
  std::vector<Finished> finished;
  std::map<std::uint64_t, Epoch> flushes;  // tag: epoch
  std::uint64_t tag = 1, checkpoint = 1;

  explicit Story(std::uint64_t seed) : prng(seed) {}

  void start(bool exactly) {
    worker = std::make_unique<Worker>();
    Recovery r(disk, *worker, {durable, exactly});
    while (r.step(1 + prng.below(5000)) == Recovery::State::working) REQUIRE(r.percent() <= 100);
    INFO(r.failure().text);
    REQUIRE(!r.failure());
    const Recovery::Report& report = r.report();
    REQUIRE((report.epoch == durable || !exactly));
    REQUIRE(report.epoch <= durable);
    REQUIRE(report.epoch == durable);  // this disk has all that was durable
    now = worker->model();
    REQUIRE(now == at_end_of.at(durable));
    used += report.checkpoint != 0;
    cut += report.cut_bytes != 0;
    unused += report.checkpoints.size() > (report.checkpoint != 0);
    laps = report.end / kRing.capacity();
    disk.start(report.keep.position, report.end);
    redo = std::make_unique<RedoWriter>(report.end, prng.next());
    redo->restarted(report.epoch);
    step();
    finished.clear();
    for (std::uint64_t id : report.checkpoints) {
      if (id != report.checkpoint) {
        disk.remove_checkpoint(id);
      } else {
        finished.push_back({id, report.keep.position, report.epoch, true});
      }
    }
    checkpoint = report.checkpoint_next;
    flushes.clear();
    at_end_of.erase(at_end_of.upper_bound(durable), at_end_of.end());
    epoch = std::max(epoch, durable) + 1;
  }
  void step() {
    if (redo->empty()) return;
    REQUIRE(disk.append(redo->take(disk.durable(), epoch)));
    redo->clear();
  }
  void write() {
    const FragmentRef ref{5, static_cast<FragmentId>(prng.below(kFragments))};
    if (!worker->fragments.contains(ref)) {
      worker->created(ref);
      redo->created(ref, epoch);
    } else if (prng.below(150) == 0) {
      if (writer) writer->forget(ref);
      worker->dropped(ref);
      redo->dropped(ref, epoch);
      return;
    }
    const Record r{static_cast<std::uint32_t>(prng.below(kKeys)), prng.below(3) == 0 ? 0 : value++};
    worker->set(ref, ++sequence, r);
    Writer w;
    w.put(r);
    redo->record(ref, sequence, epoch, w.view());
  }
  void end_epoch() {
    redo->complete(epoch);
    step();
    at_end_of[epoch] = worker->model();
    flushes[tag] = epoch;
    disk.flush(tag++);
    epoch += 1 + prng.below(3);
  }
  void checkpoint_step() {
    if (!writer) {
      if (prng.below(30) != 0) return;
      CheckpointHead h;
      h.id = checkpoint;
      h.from = redo->place();
      h.complete = at_end_of.rbegin()->first;
      worker->next_fragment = 0;
      worker->redo = redo.get();
      disk.begin_checkpoint(checkpoint);
      writer = std::make_unique<CheckpointWriter>(h, *worker);
    }
    if (!writer->scanned()) {
      disk.write_checkpoint(checkpoint, writer->step(100));
      return;
    }
    disk.write_checkpoint(checkpoint, writer->end(epoch));
    disk.finish_checkpoint(checkpoint, 1u << 30 | checkpoint);
    finished.push_back({checkpoint, writer->head().from.position, epoch, false});
    checkpoint++;
    writer.reset();
  }
  void hear(const MemoryDisk::Completion& c) {
    REQUIRE(c.status == 0);
    auto f = flushes.find(c.tag);
    if (f != flushes.end()) durable = std::max(durable, f->second);
    for (Finished& x : finished) x.on_disk = x.on_disk || c.tag == (1u << 30 | x.id);
    // The newest usable one makes those before it needless.
    for (std::size_t i = finished.size(); i-- > 1;) {
      if (!finished[i].on_disk || finished[i].newest > durable) continue;
      for (std::size_t j = 0; j < i; j++) disk.remove_checkpoint(finished[j].id);
      disk.trim(finished[i].from);
      finished.erase(finished.begin(), finished.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
    if (finished.size() == 1 && finished[0].on_disk && finished[0].newest <= durable) disk.trim(finished[0].from);
  }
  void life() {
    for (std::uint64_t n = 20 + prng.below(600); n > 0; n--) {
      if (disk.room() > 8000) {
        for (std::uint64_t k = prng.below(4); k > 0; k--) write();
        step();
      }
      if (prng.below(12) == 0) end_epoch();
      checkpoint_step();
      MemoryDisk::Completion c;
      if (prng.below(3) == 0 && disk.complete(&c)) hear(c);
    }
    writer.reset();
    redo.reset();
    worker.reset();
    disk.crash(prng, prng.below(4) != 0);
  }
};

}  // namespace

TEST_CASE("recovery: an empty disk is empty") {
  MemoryDisk disk(kRing);
  Worker w;
  Recovery r(disk, w, {0, true});
  REQUIRE(r.run() == Recovery::State::done);
  REQUIRE(r.report().empty);
  REQUIRE(r.report().end == 0);
  REQUIRE(r.report().checkpoint_next == 1);
}

TEST_CASE("recovery: lives and crashes at random come back exactly at the durable epoch") {
  std::uint64_t used = 0, unused = 0, cut = 0, laps = 0;
  for (std::uint64_t seed = 1; seed <= 150; seed++) {
    INFO("seed " << seed);
    Story s(seed);
    for (int life = 0; life < 6; life++) {
      INFO("life " << life);
      s.start(s.prng.below(2) == 0);
      s.life();
    }
    used += s.used;
    unused += s.unused;
    cut += s.cut;
    laps += s.laps;
  }
  INFO(used << " " << unused << " " << cut << " " << laps);
  REQUIRE(used > 100);  // the rare paths were walked
  REQUIRE(unused > 20);
  REQUIRE(cut > 40);
  REQUIRE(laps > 20);
}

namespace {

// Ten epochs of one record each, two checkpoints: after epoch 4 and after epoch 8.
struct Scene {
  MemoryDisk disk{kRing};
  Worker worker;
  RedoWriter redo{0, 11};
  Scene() {
    disk.start(0, 0);
    redo.created({5, 0}, 1);
    for (Epoch e = 1; e <= 10; e++) {
      Writer w;
      w.put(Record{static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(e * 100)});
      redo.record({5, 0}, e, e, w.view());
      worker.set({5, 0}, e, {static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(e * 100)});
      redo.complete(e);
      flush(e);
      if (e == 4 || e == 8) make_checkpoint(e / 4, e);
    }
    Prng prng(1);
    disk.crash(prng);
  }
  void flush(Epoch e) {
    REQUIRE(disk.append(redo.take(disk.durable(), e)));
    redo.clear();
    disk.flush(e);
    MemoryDisk::Completion c;
    REQUIRE(disk.complete(&c));
  }
  void make_checkpoint(std::uint64_t id, Epoch e) {
    CheckpointHead h;
    h.id = id;
    h.from = redo.place();
    h.complete = e;
    worker.redo = &redo;
    worker.next_fragment = 0;
    disk.begin_checkpoint(id);
    CheckpointWriter w(h, worker);
    while (!w.scanned()) disk.write_checkpoint(id, w.step(100));
    disk.write_checkpoint(id, w.end(e));
    disk.finish_checkpoint(id, id);
    MemoryDisk::Completion c;
    REQUIRE(disk.complete(&c));
  }
  Recovery::Report recover(Epoch upto, bool exactly = true) {
    worker.reset();
    worker.resets = 0;
    Recovery r(disk, worker, {upto, exactly});
    r.run();
    failure = r.failure();
    if (!failure) REQUIRE(worker.model().size() == r.report().epoch);
    return r.report();
  }
  Failure failure;
};

}  // namespace

TEST_CASE("recovery: the newest checkpoint that is not too new") {
  Scene s;
  REQUIRE(s.recover(10).checkpoint == 2);
  REQUIRE(s.recover(8).checkpoint == 2);
  REQUIRE(s.recover(7).checkpoint == 1);
  const auto r = s.recover(3);
  REQUIRE(r.checkpoint == 0);
  REQUIRE(r.applied == 3);
  REQUIRE(r.later == 7);
  REQUIRE(r.checkpoint_next == 3);
  REQUIRE(s.recover(0).epoch == 0);
}

TEST_CASE("recovery: more than the log has is refused, or given as far as it goes") {
  Scene s;
  s.recover(11);
  REQUIRE(s.failure.text.find("complete up to epoch 10 only, but epoch 11 was durable") != std::string::npos);
  REQUIRE(s.failure.text.find("'redo.0' at offset ") == 0);
  REQUIRE(s.recover(11, false).epoch == 10);
  REQUIRE(!s.failure);
}

TEST_CASE("recovery: a damaged checkpoint gives way to the one before it, or to the log") {
  Scene s;
  const std::uint64_t size = *s.disk.checkpoint_bytes(2);
  for (std::uint64_t at : {std::uint64_t{3}, std::uint64_t{30}, size / 2, size - 45, size - 3}) {
    s.disk.damage_checkpoint(2, at);
    auto r = s.recover(10);
    INFO("offset " << at << " " << s.failure.text);
    REQUIRE(!s.failure);
    REQUIRE(r.checkpoint == 1);
    REQUIRE(r.notes.size() == 1);
    REQUIRE(r.notes[0].find("'checkpoint.2' at offset") != std::string::npos);
    s.disk.damage_checkpoint(2, at);
  }
  s.disk.damage_checkpoint(2, size / 2);
  s.disk.damage_checkpoint(1, 60);
  REQUIRE(s.recover(10).checkpoint == 0);
  REQUIRE(!s.failure);
}

TEST_CASE("recovery: damage that nothing makes up for is refused with its place") {
  Scene s;
  s.disk.damage_redo(s.redo.position() - 200);
  s.recover(10);
  REQUIRE(s.failure.text.find("'redo.0' at offset ") == 0);
  REQUIRE(s.failure.text.find("damaged") != std::string::npos);
}

TEST_CASE("recovery: what a cut or an earlier restart made void stays so") {
  Scene s;
  const auto r = s.recover(6);  // the node comes back at epoch 6 although its log reaches to 10
  s.disk.start(r.keep.position, r.end);
  RedoWriter redo(r.end, 12);
  redo.restarted(6);
  Writer w;
  w.put(Record{30, 3000});
  redo.record({5, 0}, 7, 11, w.view());
  redo.record({5, 0}, 8, 11, w.view());
  redo.cut({5, 0}, 7, 11);
  w.clear();
  w.put(Record{31, 3100});
  redo.record({5, 0}, 8, 12, w.view());
  redo.complete(12);
  REQUIRE(s.disk.append(redo.take(r.end, 12)));
  s.disk.flush(1);
  MemoryDisk::Completion c;
  REQUIRE(s.disk.complete(&c));
  Prng prng(1);
  s.disk.crash(prng);

  s.worker.reset();
  Recovery again(s.disk, s.worker, {12, true});
  REQUIRE(again.run() == Recovery::State::done);
  const Model m = s.worker.model();
  REQUIRE(m.size() == 8);
  REQUIRE(m.at({0, 6}) == 600);
  REQUIRE(!m.contains({0, 7}));
  REQUIRE(m.at({0, 30}) == 3000);
  REQUIRE(m.at({0, 31}) == 3100);
}

TEST_CASE(
    "recovery: a node that its peers filled has no epoch between the one it came back at and the one it was filled "
    "in") {
  Scene s;
  const auto r = s.recover(10);
  s.disk.start(r.keep.position, r.end);
  RedoWriter redo(r.end, 12);
  redo.restarted(10);
  auto log = [&](std::uint32_t key, Sequence sequence, Epoch e) {
    Writer w;
    w.put(Record{key, key * 100});
    redo.record({5, 0}, sequence, e, w.view());
  };
  for (std::uint32_t key = 11; key <= 17; key++) log(key, key, 17);  // as copied, whenever they were written
  redo.state({5, 0}, 17, "outcomes");
  redo.filled(17);
  log(18, 18, 18);
  redo.complete(18);
  log(19, 19, 19);
  REQUIRE(s.disk.append(redo.take(r.end, 19)));
  s.disk.flush(1);
  MemoryDisk::Completion c;
  REQUIRE(s.disk.complete(&c));
  Prng prng(1);
  s.disk.crash(prng);

  REQUIRE(s.recover(18).epoch == 18);
  REQUIRE(s.worker.last_state == "outcomes");
  REQUIRE(s.recover(17).epoch == 17);
  for (Epoch between = 11; between < 17; between++) REQUIRE(s.recover(between, false).epoch == 10);
  s.recover(16);
  REQUIRE(s.failure.text.find("it is complete up to epoch 10 only, but epoch 16 was durable") != std::string::npos);
}

TEST_CASE("recovery: what a fragment's part of the checkpoint holds is not replayed") {
  MemoryDisk disk(kRing);
  Worker worker;
  RedoWriter redo(0, 11);
  disk.start(0, 0);
  auto write = [&](Epoch e) {
    Writer w;
    w.put(Record{static_cast<std::uint32_t>(e), 7});
    redo.record({5, 0}, e, e, w.view());
    worker.set({5, 0}, e, {static_cast<std::uint32_t>(e), 7});
  };
  redo.created({5, 0}, 1);
  CheckpointHead h;
  h.id = 1;
  h.from = redo.place();  // before the block that is open: "created" and two records come after it
  write(1);
  write(2);
  worker.redo = &redo;
  CheckpointWriter c(h, worker);
  disk.begin_checkpoint(1);
  while (!c.scanned()) disk.write_checkpoint(1, c.step(100));
  write(3);
  disk.write_checkpoint(1, c.end(3));
  disk.finish_checkpoint(1, 1);
  redo.complete(3);
  REQUIRE(disk.append(redo.take(0, 3)));
  disk.flush(2);
  MemoryDisk::Completion done;
  while (disk.complete(&done)) {
  }
  Prng prng(1);
  disk.crash(prng);
  worker.reset();
  Recovery r(disk, worker, {3, true});
  REQUIRE(r.run() == Recovery::State::done);
  REQUIRE(r.report().checkpoint == 1);
  REQUIRE(r.report().contained == 2);
  REQUIRE(r.report().applied == 1);
  REQUIRE(worker.model().size() == 3);
}
