// raft.h for C++: it has no extern "C" of its own. Only lib/meta/log*.cc include this.
#pragma once
#include <cstdarg>
#include <cstddef>
#include <cstdio>

extern "C" {
#include <raft.h>
}

namespace ndb::meta {

// libraft names functions like the structs that they take.
using RaftId = unsigned long long;
using ApplyRequest = struct ::raft_apply;
using BarrierRequest = struct ::raft_barrier;
using ChangeRequest = struct ::raft_change;
using TransferRequest = struct ::raft_transfer;
using RaftLog = struct ::raft_log;
using Raft = struct ::raft;

}  // namespace ndb::meta
