#include "base/probe.h"
#include "meta/epochs.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ndb::meta {

namespace {
constexpr Time kRepeat = 200 * kMillisecond;  // an order that is not answered

constexpr const char* kBetweenDurable = "TimeBetweenGlobalCheckpoints";
constexpr const char* kBetweenEpochs = "TimeBetweenEpochs";

bool milliseconds(const std::string& text, std::int64_t least, Time* t) {
  std::int64_t ms = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc{} || ms < least || ms > 32000) return false;
  *t = ms * kMillisecond;
  return true;
}
}  // namespace

void EpochClock::set_live(const std::string& name, const std::string& value) {
  if (name != kBetweenDurable && name != kBetweenEpochs) return;
  live_.set(name, value);
}

// A time in ms: as told while running, else the first data node's of the configuration.
Time EpochClock::configured(const Catalog& c, const char* parameter, std::int64_t least, Time fallback) const {
  Time t = fallback;
  if (const std::string* told = live_.find(parameter); told != nullptr && milliseconds(*told, least, &t)) return t;
  const ConfigImage* image = c.config();
  if (image == nullptr) return fallback;
  for (const ConfigNode& n : image->nodes) {
    auto i = n.values.find(parameter);
    if (n.type != NodeType::data || i == n.values.end()) continue;
    return milliseconds(i->second, least, &t) ? t : fallback;
  }
  return fallback;
}
Time EpochClock::between_durable(const Catalog& c) const { return configured(c, kBetweenDurable, 20, 2 * kSecond); }
Time EpochClock::between_epochs(const Catalog& c) const { return configured(c, kBetweenEpochs, 0, 100 * kMillisecond); }

std::map<NodeId, EpochClock::Taker> EpochClock::takers_of(const Catalog& c) {
  std::map<NodeId, Taker> t;
  for (const auto& [id, n] : c.nodes) {
    if (n.type == NodeType::data && n.state == NodeState::in_sync && n.group != kNoGroup)
      t[id] = {n.incarnation, false};
  }
  return t;
}

void EpochClock::on_report(const wire::EpochReport& r) {
  highest_ = std::max(highest_, r.now);
  if (!running_ || r.round != round_ || r.step != step_) return;
  if (r.filled >
      epoch_) {  // a redundant copy is worth waiting for: close an epoch whose end this node's files can hold
    NDB_PROBE("meta.epoch_again_for_a_filled_node");
    again_ = std::max(again_, r.filled);
    return;
  }
  auto i = takers_.find(r.node);
  if (i != takers_.end() && i->second.incarnation == r.incarnation) i->second.answered = true;
}

// A group has rows that count and nobody in sync: the cluster will come back from its disks, at an epoch that all
// groups have.
bool EpochClock::group_lost(const Catalog& c) {
  return std::any_of(c.groups.begin(), c.groups.end(), [&](const auto& g) {
    const bool empty = std::none_of(g.second.members.begin(), g.second.members.end(), [&](NodeId id) {
      const Node* n = c.node(id);
      return n != nullptr && n->state == NodeState::in_sync;
    });
    return empty && holds_rows_that_count(c, g.first);
  });
}

bool EpochClock::all_answered() const {
  return std::all_of(takers_.begin(), takers_.end(), [](const auto& t) { return t.second.answered; });
}

void EpochClock::order(wire::EpochStep step) {
  step_ = step;
  for (auto& [id, t] : takers_) {
    t.answered = false;
    orders.push_back({id, {round_, epoch_, step}});
  }
}

void EpochClock::begin(Time now, const Catalog& c, Epoch epoch) {
  takers_ = takers_of(c);
  running_ = !takers_.empty();
  again_ = 0;
  round_++;
  epoch_ = epoch;
  repeat_ = now + kRepeat;
  if (running_) order(wire::EpochStep::enter);
}

// 0 ms: an epoch ends when it is closed, not before.
void EpochClock::tick(Time now, const Catalog& c, env::Outbox& out) {
  const Time between = between_epochs(c);
  if (between == 0) return;
  if (now >= next_epoch_ || now + between < next_epoch_) {
    present_ = std::max({present_ + 1, highest_, c.durable_epoch + 1});
    next_epoch_ = now + between;
  }
  out.wake_at(next_epoch_);
}

void EpochClock::step(Time now, Member& member, const Leader& leader, env::Outbox& out) {
  if (!member.leading() || !leader.leading()) {
    running_ = was_leading_ = false;
    return;
  }
  const auto c = member.catalog();
  if (!was_leading_) {
    was_leading_ = true;
    running_ = false;
    round_ = c->leader_epoch << 32;
    request_ = {};
    next_ = now;
  }
  if (c->started) tick(now, *c, out);
  if (!c->started || (!request_.none() && member.proposing(request_))) return;
  if (group_lost(*c)) {
    running_ = false;
    return;
  }
  if (running_) {
    const auto present = takers_of(*c);
    const bool same = present.size() == takers_.size() &&
                      std::equal(present.begin(), present.end(), takers_.begin(), [](const auto& a, const auto& b) {
                        return a.first == b.first && a.second.incarnation == b.second.incarnation;
                      });
    if (!same || again_ > epoch_) begin(now, *c, std::max(epoch_, again_));
    if (running_ && now >= repeat_) {
      repeat_ = now + kRepeat;
      for (const auto& [id, t] : takers_) {
        if (!t.answered) orders.push_back({id, {round_, epoch_, step_}});
      }
    }
  }
  if (!running_) {
    Epoch wanted = std::exchange(wanted_, 0);
    for (const auto& [id, n] : c->nodes) {
      const Leader::Report* r = leader.report(id);
      if (r != nullptr && r->last.incarnation == n.incarnation) wanted = std::max(wanted, r->last.durable_wanted);
    }
    next_ = std::min(next_, now + between_durable(*c));  // it may be shorter by now
    if (now < next_ && wanted <= c->durable_epoch) {
      out.wake_at(next_);
      return;
    }
    next_ = now + between_durable(*c);
    begin(now, *c, std::max({c->durable_epoch + 1, highest_, wanted}));
  }
  if (running_ && all_answered()) {
    switch (step_) {
      case wire::EpochStep::enter:
        order(wire::EpochStep::show);
        break;
      case wire::EpochStep::show:
        order(wire::EpochStep::flush);
        break;
      case wire::EpochStep::flush: {
        running_ = false;
        Command command;
        command.body = EpochDurable{epoch_, c->view};
        request_ = member.propose(now, std::move(command));
        break;
      }
    }
    repeat_ = now + kRepeat;
  }
  out.wake_at(running_ ? repeat_ : next_);
}

}  // namespace ndb::meta
