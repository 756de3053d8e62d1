#include "sim/operator.h"

#include <cstdio>
#include <cstdlib>

namespace ndb::sim {
namespace {
constexpr Time kPoll = 20 * kMillisecond;  // how soon a new order is seen
constexpr Time kPatience = 12 * kSecond;   // the server itself answers after ten
constexpr Time kRetry = 100 * kMillisecond;
}  // namespace

void Operator::step(Time now, const env::Event& e, env::Outbox& out) {
  switch (e.kind) {
    case env::EventKind::link_up:
      link_ = e.link;
      state_ = State::ready;
      in_.clear();
      break;
    case env::EventKind::link_down:
      if (e.link != link_) break;
      link_ = 0;
      state_ = State::idle;
      next_ = now + kRetry;
      break;
    case env::EventKind::no_link:
      if (e.tag != tag_) break;
      state_ = State::idle;
      next_ = now + kRetry;
      break;
    case env::EventKind::text:
      if (e.link == link_) in_ += e.data;
      break;
    default:
      break;
  }
  if (state_ == State::waiting) {
    Reply r;
    if (take_reply(&r)) {
      state_ = State::ready;
      // 9023: the outcome is unknown; others that pass: a server that is not ready
      if (r.error() == 9023 || r.error() == 9022 || r.error() == 4009) {
        if (r.error() == 4009) orders_.front().request.clear();  // refused: the same request would be refused again
        again(now, out);
      } else {
        Order o = std::move(orders_.front());
        orders_.pop_front();
        if (o.done) o.done(r);
      }
    } else if (now >= deadline_) {
      again(now, out);
    }
  }
  if (!orders_.empty() && state_ == State::ready) send(now, out);
  if (!orders_.empty() && state_ == State::idle && now >= next_) {
    state_ = State::connecting;
    out.connect(++tag_, hosts_[prng_.below(hosts_.size())], port_, true);
  }
  out.wake_at(now + kPoll);
}

void Operator::again(Time now, env::Outbox& out) {
  if (link_ != 0) out.close(link_);
  link_ = 0;
  state_ = State::idle;
  next_ = now + kRetry;
}

void Operator::send(Time now, env::Outbox& out) {
  Order& o = orders_.front();
  if (o.changes && o.request.empty()) {
    char id[40];
    std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(prng_.next()),
                  static_cast<unsigned long long>(prng_.next()));
    o.request = id;
  }
  std::string s = o.command + "\n";
  for (const auto& [k, v] : o.keys) s += k + ": " + v + "\n";
  if (o.changes) s += "request: " + o.request + "\n";
  if (!o.bulk.empty()) s += "Content-Length: " + std::to_string(o.bulk.size()) + "\n";
  s += "\n";
  if (!o.bulk.empty()) s += o.bulk + "\n";
  out.link(link_).raw(s);
  in_.clear();
  state_ = State::waiting;
  deadline_ = now + kPatience;
}

bool Operator::take_reply(Reply* r) {
  std::size_t end = in_.find("\n\n");
  if (end == std::string::npos) return false;
  std::size_t at = 0;
  while (at < end) {
    std::size_t line_end = in_.find('\n', at);
    std::string line = in_.substr(at, line_end - at);
    at = line_end + 1;
    std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    r->values[line.substr(0, colon)] = value;
  }
  std::size_t used = end + 2;
  if (auto n = r->values.find("Content-Length"); n != r->values.end()) {
    std::size_t bytes = std::strtoull(n->second.c_str(), nullptr, 10);
    if (in_.size() < used + bytes + 1) return false;
    r->bulk = in_.substr(used, bytes);
    used += bytes + 1;
  }
  in_.erase(0, used);
  return true;
}

}  // namespace ndb::sim
