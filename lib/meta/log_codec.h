// Raft's messages and memberships as bytes (docs/FORMATS.md). Private to the metadata log.
//
// Decoding copies everything out of the input, checks every bound and every rule of the protocol that can be checked
// without knowing the receiver's state: libraft believes what it is handed (its assertions are compiled out), so a
// message that is accepted here must be one that a member could have sent.
#pragma once
#include <string>
#include <vector>

#include "base/bytes.h"
#include "meta/log.h"
#include "meta/log_raft.h"

namespace ndb::meta::codec {

// A message in plain C++: the union of what the kinds need.
struct Message {
  unsigned short type = 0;
  std::uint64_t term = 0;
  std::uint64_t index = 0;       // prev_log_index, last_log_index, or the snapshot's last index
  std::uint64_t index_term = 0;  // its term
  std::uint64_t commit = 0;      // append entries
  std::uint64_t id = 0;          // request vote: the candidate
  std::uint64_t rejected = 0;    // append entries result
  bool flag = false;             // vote granted, or: disrupt the leader
  bool pre_vote = false;
  std::vector<LogEntry> entries;  // append entries; indices filled in
  std::uint64_t membership_index = 0;
  std::string membership;  // install snapshot
  std::string data;        // install snapshot
};

// Appends the encoding of `m`; of append entries no more than `bytes_max` bytes of entries, but one at least. The
// commit index that goes out never exceeds the last entry sent.
void encode(Writer& w, const raft_message& m, std::size_t bytes_max);
// False: malformed, nothing to be done with it.
bool decode(Bytes bytes, Message* m);

// libraft's own encoding of a membership: u8 1 · u64 n · n * (u64 id · address, zero-terminated · u8 role), then zeros.
// The address of a member is its id in decimal digits.
bool decode_membership(Bytes bytes, std::vector<MemberInfo>* members);
std::string encode_membership(const raft_configuration& c);
// libraft leaves the padding uninitialised: the same membership is made to give the same bytes everywhere.
void zero_padding(const raft_buffer& membership);
// Fills an initialised, empty configuration. `bytes` must have passed decode_membership.
void build_configuration(const std::string& bytes, raft_configuration* c);
std::string address_of(std::uint64_t raft_id);

// Entries as libraft wants to own them: an array and one batch of memory, both from raft_malloc. Null for none.
raft_entry* build_entries(const std::vector<LogEntry>& entries);
raft_buffer build_buffer(const std::string& bytes);

}  // namespace ndb::meta::codec
