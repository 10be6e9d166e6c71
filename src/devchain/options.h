#pragma once
// The options and the events of a development chain.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace fanfare::devchain {

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t chain_id = 1337;
  Duration block_time = std::chrono::seconds(1);  // at least 1 ms
  unsigned transactions_per_block_max = 20;       // made by the chain itself; 0 for none
  unsigned reorg_every_blocks = 0;                // 0: never
  unsigned reorg_depth_max = 3;                   // 1 to kReorgDepthMax
  unsigned sync_blocks = 0;                       // the chain starts so far behind, and catches up
  unsigned sync_speed = 20;                       // times as fast as block_time
  unsigned blocks_per_advance_max = 512;          // so that one call ends soon after the machine has slept
  unsigned accounts = 10;
  std::uint64_t history_blocks = 4096;  // kept behind the head; at least kHistoryMin
  std::size_t history_bytes_max = std::size_t{256}
                                  << 20;  // beyond it fewer blocks are kept, but at least kHistoryMin
  std::size_t pool_transactions_max = 4096;
  std::size_t pool_bytes_max = std::size_t{32} << 20;  // of transactions as they were sent
  std::uint64_t logs_range_max = 10'000;               // the largest block range of one eth_getLogs
  std::size_t logs_max = 10'000;                       // the most logs in one answer
};

// The error for a call that needs code to run.
inline constexpr const char* kNoCreation =
    "contract creation is not supported: the development chain has no EVM, only its built-in tokens";
inline constexpr const char* kNoEvm =
    "the development chain has no EVM: it runs its built-in tokens and nothing else";

inline constexpr unsigned kReorgDepthMax = 60;  // the finalized block is 64 behind the head
inline constexpr std::uint64_t kHistoryMin = 128;
inline constexpr std::uint64_t kStatesKept = 256;

// The `error` member of a JSON-RPC answer; data_json is empty if there is none.
struct CallError {
  int code = 0;
  std::string message;
  std::string data_json;
};

struct Block;
struct Transaction;

// Receives events as they happen, from within advance(), mine(), reorg() or call(). It must not call back
// into the chain, except for reads. References are valid during the call.
class Observer {
 public:
  virtual ~Observer() = default;
  // A new canonical head, after its logs; blocks of a new branch come oldest first.
  virtual void on_block(const Block& /*block*/) {}
  // All logs of a block that became canonical, or with `removed` of one that no longer is (newest block
  // first). Not called for blocks without logs.
  virtual void on_logs(const Block& /*block*/, bool /*removed*/) {}
  virtual void on_pending_transaction(const Transaction& /*transaction*/) {}
  virtual void on_syncing(bool /*syncing*/) {}
  // Called before the new branch: its first block will have number `ancestor` + 1, and `depth` blocks are
  // removed.
  virtual void on_reorg(std::uint64_t /*ancestor*/, unsigned /*depth*/) {}
};

}  // namespace fanfare::devchain
