#include "client/cluster.h"
#include "client/core.h"

namespace ndb::client {

Transaction::Transaction(std::shared_ptr<detail::Core> core) : core_(std::move(core)) {}
Transaction::Transaction(Transaction&& o) noexcept { *this = std::move(o); }
Transaction& Transaction::operator=(Transaction&& o) noexcept {
  if (this == &o) return *this;
  abort();
  core_ = std::move(o.core_);
  handle_ = std::exchange(o.handle_, kNoHandle);
  over_ = std::exchange(o.over_, true);
  id_ = o.id_;
  key_ = std::move(o.key_);
  payload_ = std::move(o.payload_);
  return *this;
}
Transaction::~Transaction() { abort(); }

void Transaction::abort() {
  over_ = true;
  if (handle_ == kNoHandle) return;
  core_->with([&](ClientMachine& m) { m.release(handle_); });
  handle_ = kNoHandle;
}

Failure Transaction::add(wire::Op op, const Table& t, Bytes key, Bytes payload) {
  if (over_) return {Error::txn_aborted, {}};
  if (!t.shape().valid_key(key)) return {Error::bad_row_image, "a key that does not fit table '" + t.name() + "'"};
  const std::uint64_t hash = t.shape().hash(key);
  Failure failure;
  core_->with([&](ClientMachine& m) {
    if (handle_ == kNoHandle) handle_ = m.open();
    if (handle_ == kNoHandle) {
      failure = {Error::too_many_open, "too many transactions of this client are open"};
    } else if (m.operations(handle_) >= limits::kOperationsPerTransactionMax) {
      failure = {Error::too_many_open, "too many operations in one step of a transaction"};
    } else {
      m.add(handle_, op, t.id(), hash, key, payload);
    }
  });
  return failure;
}

Failure Transaction::change(wire::Op op, const Table& t, Values row) {
  payload_.clear();
  if (Error e = t.shape().encode(row, payload_); e != Error::ok) return {e, {}};
  store::KeyBuffer buffer;
  return add(op, t, t.shape().key_of(payload_.view(), buffer), payload_.view());
}

Failure Transaction::update(const Table& t, Values key, Changes changes) {
  key_.clear();
  payload_.clear();
  if (Error e = t.shape().encode_key(key, key_); e != Error::ok) return {e, {}};
  for (const auto& [column, value] : changes) {
    if (column >= t.shape().columns()) return {Error::no_such_column, {}};
    if (Error e = t.shape().encode_patch(column, value, payload_); e != Error::ok) return {e, {}};
  }
  return add(wire::Op::update, t, key_.view(), payload_.view());
}

Failure Transaction::remove(const Table& t, Values key) {
  key_.clear();
  if (Error e = t.shape().encode_key(key, key_); e != Error::ok) return {e, {}};
  return add(wire::Op::remove, t, key_.view());
}

Result<bool> Transaction::read(const Table& t, Values key, std::string* image, Lock lock) {
  Writer k;
  if (Error e = t.shape().encode_key(key, k); e != Error::ok) return Failure{e, {}};
  return read_key(t, k.view(), image, lock);
}

Result<bool> Transaction::read_key(const Table& t, Bytes key, std::string* image, Lock lock) {
  const wire::Op op = lock == Lock::none     ? wire::Op::read
                      : lock == Lock::shared ? wire::Op::read_shared
                                             : wire::Op::read_exclusive;
  if (Failure f = add(op, t, key)) return f;
  bool found = false;
  Failure failed = execute([&](Error e, Bytes row) {
    found = e == Error::ok;
    if (found) image->assign(row);
  });
  if (failed) return failed;
  return found;
}

std::size_t Transaction::collected() const {
  std::size_t n = 0;
  if (handle_ != kNoHandle) {
    core_->with([&](ClientMachine& m) { n = over_ ? 0 : m.operations(handle_); });
  }
  return n;
}

Failure Transaction::execute(const std::function<void(Error, Bytes)>& each) {
  if (over_) return {Error::txn_aborted, {}};
  if (collected() == 0) return {};
  return send(0, each);
}

Failure Transaction::commit(bool durable) {
  if (over_) return {Error::txn_aborted, {}};
  if (handle_ == kNoHandle) {
    over_ = true;
    return {};
  }
  return send(static_cast<std::uint8_t>(wire::kCommit | (durable ? wire::kDurable : 0)), {});
}

template <class Ask>
detail::Answer Transaction::answer_to(const Ask& ask) {
  core_->with([&](ClientMachine& m) {
    core_->answer(handle_).ready = false;
    ask(m);
  });
  detail::Answer a;
  core_->wait(kNever, [&] {
    a = core_->answer(handle_);
    return a.ready;
  });
  return a;
}

Result<bool> Transaction::outcome() {
  if (handle_ == kNoHandle || !over_) return Failure{Error::txn_aborted, "no transaction with an unknown outcome"};
  const detail::Answer a = answer_to([&](ClientMachine& m) { m.ask_again(handle_); });
  if (a.state == wire::TxnState::unknown) return Failure{Error::outcome_unknown, {}};
  abort();  // gives the slot back
  return a.state == wire::TxnState::committed;
}

Failure Transaction::send(std::uint8_t flags, const std::function<void(Error, Bytes)>& each) {
  const detail::Answer a = answer_to([&](ClientMachine& m) { m.send(handle_, flags); });
  if (a.id.number != 0) id_ = a.id;
  if (each && a.results > 0) {
    StepResult r;
    r.results = a.results;
    r.bytes = a.bytes;
    ResultReader rows(r);
    Error e;
    Bytes image;
    while (rows.next(&e, &image)) each(e, image);
  }
  if (a.state == wire::TxnState::open) return {};  // reads that found nothing are no failure of the transaction
  // With a commit an error is that of a read that found nothing.
  const Failure failure{a.state == wire::TxnState::committed ? Error::ok
                        : a.error == Error::ok               ? Error::txn_aborted
                                                             : a.error,
                        {}};
  over_ = true;
  if (a.state != wire::TxnState::unknown) abort();  // gives the slot back; outcome() may need it
  return failure;
}

}  // namespace ndb::client
