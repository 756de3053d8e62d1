// What became of transactions, as far back as a client may ask: for every session the last kWindow transaction numbers
// that touched this fragment. The stream fills it on every replica in the same order, so it survives the loss of the
// primary. A client must not have more than kWindow transactions between the first unanswered one and the newest.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace ndb::txn {

enum class Fate : std::uint8_t { unknown = 0, committed = 1, aborted = 2 };

// In an outcome_reply beside these.
inline constexpr std::uint8_t kCommittedNotDurable = 3;

class Outcomes {
 public:
  static constexpr std::uint32_t kWindow = 512;
  static constexpr std::size_t kSessionsMax = 2048;

  void put(const TxnId& t, Fate f) {
    if (t.session == 0) return;
    if (t.session != last_session_ || last_ == nullptr) find_or_make(t.session);
    last_->at(t.number % kWindow) = t.number << 2 | static_cast<std::uint64_t>(f);
  }
  Fate get(const TxnId& t) const {
    const Window* w = last_;
    if (w == nullptr || t.session != last_session_) {
      auto i = sessions_.find(t.session);
      if (i == sessions_.end()) return Fate::unknown;
      w = i->second.get();
    }
    const std::uint64_t v = w->at(t.number % kWindow);
    return v >> 2 == t.number ? static_cast<Fate>(v & 3u) : Fate::unknown;
  }
  // Those of the sessions with numbers above `session` (0 = from the first), some `bytes_max` bytes of them; the answer
  // is the last session written, UINT64_MAX at the end. merge() adds them to what is here: of two numbers that share a
  // place the newer one stays.
  std::uint64_t encode_after(std::uint64_t session, std::size_t bytes_max, Writer& w) const;
  bool merge(Reader& r);
  // Everything, for a replica that is being filled.
  void encode(Writer& w) const;
  bool decode(Reader& r);
  void clear();

 private:
  using Window = std::array<std::uint64_t, kWindow>;
  void find_or_make(std::uint64_t session);
  void encode_session(std::uint64_t session, Writer& w) const;

  std::unordered_map<std::uint64_t, std::unique_ptr<Window>> sessions_;
  std::vector<std::uint64_t> order_;  // of first use: the oldest session is forgotten first
  std::uint64_t last_session_ = 0;
  Window* last_ = nullptr;
};

}  // namespace ndb::txn
