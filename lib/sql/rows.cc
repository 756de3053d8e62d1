#include "sql/rows.h"

namespace ndb::sql {

namespace {
constexpr std::size_t kPieceBytes = std::size_t{1}
                                    << 20;  // a scan is repeated from the start while it is within the first
constexpr std::size_t kLockedRows = 256;    // locked in one step

void put_row(std::string* out, Bytes image) {
  const auto n = static_cast<std::uint32_t>(image.size());
  out->append(reinterpret_cast<const char*>(&n), sizeof n);
  out->append(image);
}
}  // namespace

void Rows::nothing() {
  at_end_ = true;
  scan_over_ = own_over_ = true;
  counting_ = false;
  pending_.clear();
  at_ = 0;
}

Failure Rows::by_key(Bytes key) {
  nothing();
  if (const auto* mine = state_.own(table_.id(), key)) {
    if (*mine) {
      one_ = **mine;
      image_ = one_;
      at_end_ = false;
    }
    return {};
  }
  Result<bool> found(false);
  if (!locks()) {
    found = state_.cluster->read(table_, key, &one_);
  } else {
    state_.begin();
    if (Failure f = state_.flush()) return f;
    found = state_.transaction->read_key(table_, key, &one_, client::Lock::exclusive);
  }
  if (!found) return found.failure();
  image_ = one_;
  at_end_ = !*found;
  return {};
}

Failure Rows::by_unique(std::size_t index, client::Values values) {
  nothing();
  Result<bool> found(false);
  if (!locks()) {
    found = state_.cluster->read_unique(table_, index, values, &one_);
  } else {
    state_.begin();
    if (Failure f = state_.flush()) return f;
    found = state_.transaction->read_unique(table_, index, values, &one_, client::Lock::exclusive);
  }
  if (!found) return found.failure();
  image_ = one_;
  at_end_ = !*found;
  return {};
}

Failure Rows::count_only() {
  counting_ = true;
  auto n = state_.cluster->count(table_);
  if (!n) return n.failure();
  counted_ = *n;
  at_end_ = counted_ == 0;
  image_ = {};
  return {};
}

Failure Rows::scan(std::string filter) {
  counting_ = false;
  filter_ = std::move(filter);
  scan_over_ = own_over_ = delivered_ = false;
  pending_.clear();
  at_ = 0;
  if (locks()) {
    state_.begin();
    if (Failure f = state_.flush()) return f;
  }
  if (Failure f = start_scan()) return f;
  return next();
}

Failure Rows::start_scan() {
  client::ScanOptions o;
  o.filter = filter_;
  auto s = state_.cluster->scan(table_, std::move(o));
  if (!s) return s.failure();
  scan_.emplace(std::move(*s));
  return {};
}

Failure Rows::next() {
  if (counting_) {
    at_end_ = --counted_ == 0;
    return {};
  }
  while (true) {
    if (pending_.size() - at_ >= sizeof(std::uint32_t)) {
      const auto n = load<std::uint32_t>(pending_.data() + at_);
      image_ = Bytes(pending_).substr(at_ + sizeof n, n);
      at_ += sizeof n + n;
      at_end_ = false;
      return {};
    }
    if (scan_over_ && own_over_) {
      at_end_ = true;
      return {};
    }
    pending_.clear();
    at_ = 0;
    if (!scan_over_) {
      if (Failure f = more()) return f;
    } else {
      own_over_ = true;
      add_own();
    }
  }
}

Failure Rows::more() {
  std::size_t rows = 0;
  Bytes image;
  store::KeyBuffer buffer;
  while (pending_.size() < kPieceBytes && (!locks() || rows < kLockedRows)) {
    if (state_.interrupted) return {Error::cancelled, "interrupted"};
    auto more = scan_->next(&image);
    if (!more) return more.failure();
    if (!*more) {
      scan_over_ = true;
      scan_.reset();
      break;
    }
    if (state_.own(table_.id(), table_.shape().key_of(image, buffer)) != nullptr) continue;  // add_own() gives it
    put_row(&pending_, image);
    rows++;
  }
  return locks() ? lock_pending() : Failure{};
}

Failure Rows::lock_pending() {
  std::string locked;
  store::KeyBuffer buffer;
  for (std::size_t at = 0; at < pending_.size();) {
    const auto n = load<std::uint32_t>(pending_.data() + at);
    const Bytes key = table_.shape().key_of(Bytes(pending_).substr(at + sizeof n, n), buffer);
    if (Failure f = state_.transaction->add(wire::Op::read_exclusive, table_, key)) return f;
    at += sizeof n + n;
  }
  if (pending_.empty()) return {};
  Failure f = state_.transaction->execute([&](Error e, Bytes image) {
    if (e == Error::ok) put_row(&locked, image);  // gone meanwhile: no row
  });
  pending_ = std::move(locked);
  return f;
}

void Rows::add_own() {
  auto i = state_.changed.find(table_.id());
  if (i == state_.changed.end()) return;
  for (const auto& [key, image] : i->second) {
    if (image) put_row(&pending_, *image);
  }
}

}  // namespace ndb::sql
