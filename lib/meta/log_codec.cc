#include "meta/log_codec.h"

#include <algorithm>
#include <cstring>

#include "env/limits.h"

namespace ndb::meta::codec {

namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kMembershipFormat = 1;  // libraft's

void encode_append(Writer& w, const raft_append_entries& a, std::size_t bytes_max) {
  unsigned n = 0;
  std::size_t bytes = 0;
  while (n < a.n_entries && n < limits::kMetaEntriesPerMessageMax) {
    bytes += a.entries[n].buf.len;
    if (n > 0 && bytes > bytes_max) break;
    ++n;
  }
  w.u64(a.term);
  w.u64(a.prev_log_index);
  w.u64(a.prev_log_term);
  w.u64(std::min<std::uint64_t>(a.leader_commit, a.prev_log_index + n));
  w.u32(n);
  for (unsigned i = 0; i < n; ++i) {
    const raft_entry& e = a.entries[i];
    w.u64(e.term);
    w.u8(static_cast<std::uint8_t>(e.type));
    w.bytes32({static_cast<const char*>(e.buf.base), e.buf.len});
  }
}

bool decode_append(Reader& r, Message* m) {
  m->term = r.u64();
  m->index = r.u64();
  m->index_term = r.u64();
  m->commit = r.u64();
  std::uint32_t n = r.u32();
  if (r.bad() || n > limits::kMetaEntriesPerMessageMax) return false;
  if ((m->index == 0) != (m->index_term == 0) || m->index_term > m->term) return false;
  if (m->index > UINT64_MAX / 2 || m->commit > m->index + n) return false;
  std::uint64_t term = m->index_term;
  for (std::uint32_t i = 0; i < n; ++i) {
    LogEntry e;
    e.index = m->index + 1 + i;
    e.term = r.u64();
    e.type = r.u8();
    e.data = r.text();
    if (r.bad() || e.term < term || e.term == 0 || e.term > m->term) return false;
    if (e.type < RAFT_COMMAND || e.type > RAFT_CHANGE) return false;
    if (e.index == 1 && e.type != RAFT_CHANGE) return false;
    std::vector<MemberInfo> members;
    if (e.type == RAFT_CHANGE && !decode_membership(e.data, &members)) return false;
    term = e.term;
    m->entries.push_back(std::move(e));
  }
  return true;
}

bool decode_snapshot(Reader& r, Message* m) {
  m->term = r.u64();
  m->index = r.u64();
  m->index_term = r.u64();
  m->membership_index = r.u64();
  m->membership = r.text();
  m->data = r.text();
  std::vector<MemberInfo> members;
  return !r.bad() && m->index != 0 && m->index < UINT64_MAX / 2 && m->index_term != 0 && m->index_term <= m->term &&
         m->membership_index != 0 && m->membership_index <= m->index && decode_membership(m->membership, &members);
}

}  // namespace

void encode(Writer& w, const raft_message& m, std::size_t bytes_max) {
  w.u8(kFormat);
  w.u8(static_cast<std::uint8_t>(m.type));
  switch (m.type) {
    case RAFT_IO_APPEND_ENTRIES:
      encode_append(w, m.append_entries, bytes_max);
      break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
      w.u64(m.append_entries_result.term);
      w.u64(m.append_entries_result.rejected);
      w.u64(m.append_entries_result.last_log_index);
      break;
    case RAFT_IO_REQUEST_VOTE:
      w.u64(m.request_vote.term);
      w.u64(m.request_vote.candidate_id);
      w.u64(m.request_vote.last_log_index);
      w.u64(m.request_vote.last_log_term);
      w.u8(static_cast<std::uint8_t>((m.request_vote.disrupt_leader ? 1 : 0) | (m.request_vote.pre_vote ? 2 : 0)));
      break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
      w.u64(m.request_vote_result.term);
      w.u8(static_cast<std::uint8_t>((m.request_vote_result.vote_granted ? 1 : 0) |
                                     (m.request_vote_result.pre_vote == raft_tribool_true ? 2 : 0)));
      break;
    case RAFT_IO_INSTALL_SNAPSHOT:
      w.u64(m.install_snapshot.term);
      w.u64(m.install_snapshot.last_index);
      w.u64(m.install_snapshot.last_term);
      w.u64(m.install_snapshot.conf_index);
      w.bytes32(encode_membership(m.install_snapshot.conf));
      w.bytes32({static_cast<const char*>(m.install_snapshot.data.base), m.install_snapshot.data.len});
      break;
    case RAFT_IO_TIMEOUT_NOW:
      w.u64(m.timeout_now.term);
      w.u64(m.timeout_now.last_log_index);
      w.u64(m.timeout_now.last_log_term);
      break;
    default:
      NDB_CHECK(false);
  }
}

bool decode(Bytes bytes, Message* m) {
  Reader r(bytes);
  if (r.u8() != kFormat) return false;
  m->type = r.u8();
  std::uint8_t flags = 0;
  bool fits = true;
  switch (m->type) {
    case RAFT_IO_APPEND_ENTRIES:
      fits = decode_append(r, m);
      break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
      m->term = r.u64();
      m->rejected = r.u64();
      m->index = r.u64();
      break;
    case RAFT_IO_REQUEST_VOTE:
      m->term = r.u64();
      m->id = r.u64();
      m->index = r.u64();
      m->index_term = r.u64();
      flags = r.u8();
      fits = m->id != 0 && m->index_term <= m->term && (m->index == 0) == (m->index_term == 0);
      break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
      m->term = r.u64();
      flags = r.u8();
      break;
    case RAFT_IO_INSTALL_SNAPSHOT:
      fits = decode_snapshot(r, m);
      break;
    case RAFT_IO_TIMEOUT_NOW:
      m->term = r.u64();
      m->index = r.u64();
      m->index_term = r.u64();
      break;
    default:
      return false;
  }
  m->flag = (flags & 1) != 0;
  m->pre_vote = (flags & 2) != 0;
  return fits && flags <= 3 && m->term != 0 && m->term < UINT64_MAX / 2 && r.done();
}

bool decode_membership(Bytes bytes, std::vector<MemberInfo>* members) {
  Reader r(bytes);
  if (r.u8() != kMembershipFormat) return false;
  std::uint64_t n = r.u64();
  if (r.bad() || n == 0 || n > limits::kMetaMembersMax) return false;
  for (std::uint64_t i = 0; i < n; ++i) {
    MemberInfo info;
    info.raft_id = r.u64();
    std::string address;
    for (char c = static_cast<char>(r.u8()); c != 0 && !r.bad(); c = static_cast<char>(r.u8())) address += c;
    std::uint8_t role = r.u8();
    if (r.bad() || info.raft_id == 0 || address != address_of(info.raft_id) || role > RAFT_SPARE) return false;
    info.role = static_cast<Role>(role);
    for (const MemberInfo& other : *members) {
      if (other.raft_id == info.raft_id) return false;
    }
    members->push_back(info);
  }
  return r.left() < 8;  // padding
}

void zero_padding(const raft_buffer& membership) {
  auto* base = static_cast<char*>(membership.base);
  Reader r(Bytes(base, membership.len));
  r.u8();
  for (std::uint64_t n = r.u64(); n > 0 && !r.bad(); --n) {
    r.u64();
    while (r.u8() != 0) {
    }
    r.u8();
  }
  NDB_CHECK(!r.bad() && r.left() < 8);
  if (r.left() != 0) std::memset(base + membership.len - r.left(), 0, r.left());
}

std::string encode_membership(const raft_configuration& c) {
  raft_buffer buffer{};
  NDB_CHECK(raft_configuration_encode(&c, &buffer) == 0);
  zero_padding(buffer);
  std::string bytes(static_cast<const char*>(buffer.base), buffer.len);
  raft_free(buffer.base);
  return bytes;
}

void build_configuration(const std::string& bytes, raft_configuration* c) {
  std::vector<MemberInfo> members;
  NDB_CHECK(decode_membership(bytes, &members));
  for (const MemberInfo& m : members) {
    NDB_CHECK(raft_configuration_add(c, m.raft_id, address_of(m.raft_id).c_str(), static_cast<int>(m.role)) == 0);
  }
}

std::string address_of(std::uint64_t raft_id) { return std::to_string(raft_id); }

raft_entry* build_entries(const std::vector<LogEntry>& entries) {
  if (entries.empty()) return nullptr;
  auto aligned = [](std::size_t n) { return (n + 7) / 8 * 8; };
  std::size_t bytes = 8;
  for (const LogEntry& e : entries) bytes += aligned(e.data.size());
  auto* built = static_cast<raft_entry*>(raft_malloc(sizeof(raft_entry) * entries.size()));
  auto* batch = static_cast<char*>(raft_malloc(bytes));
  NDB_CHECK(built != nullptr && batch != nullptr);
  char* at = batch;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LogEntry& e = entries[i];
    built[i].term = e.term;
    built[i].type = e.type;
    built[i].buf.base = at;
    built[i].buf.len = e.data.size();
    built[i].batch = batch;
    std::memcpy(at, e.data.data(), e.data.size());
    at += aligned(e.data.size());
  }
  return built;
}

raft_buffer build_buffer(const std::string& bytes) {
  raft_buffer buffer{};
  buffer.len = bytes.size();
  buffer.base = raft_malloc(bytes.empty() ? 8 : bytes.size());
  NDB_CHECK(buffer.base != nullptr);
  std::memcpy(buffer.base, bytes.data(), bytes.size());
  return buffer;
}

}  // namespace ndb::meta::codec
