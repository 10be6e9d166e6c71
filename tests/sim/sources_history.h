#pragma once
// Compares a subscriber's notifications with the final chain. Uses only the world's blocks and the text of
// the notifications. A mismatch is thrown as a std::runtime_error.

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "eth/block_receipts.h"
#include "eth/chain_source_world.h"
#include "eth/header.h"
#include "eth/log_filter.h"
#include "gateway/faulty_node_for_tests.h"

namespace fanfare::gateway::simulated {

// The head that a loop had shown when a subscription began: later notifications begin above it.
struct Joined {
  std::uint64_t number = 0;
  eth::Hash256 hash;
};

// Heads, in order: each is the child of an earlier one (the last, or one that a reorg goes back to), with
// none left out; at the end they are the world's chain. A head may be repeated only after another replaced
// it.
void check_heads(const std::vector<std::string>& results, const Joined& joined, const World& world);

// Finalized heads, in order: each is the child of the last one.
void check_finalized(const std::vector<std::string>& results);
// At the end, of a subscription that still exists: the last one is on the world's chain, `depth` blocks below its head.
void check_finalized_end(const std::vector<std::string>& results, std::uint64_t depth, const World& world);

// The lowest block a reorg went back to after the join, from the heads sent since: logs must be complete from
// there on.
std::uint64_t lowest_kept(const std::vector<std::string>& heads_since, std::uint64_t joined_number);

// Logs: each removed log is the newest one left; at the end exactly the matching logs of the world's chain
// above `kept` remain.
void check_logs(const std::vector<std::string>& results, const eth::LogFilter& filter,
                std::uint64_t joined_number, std::uint64_t kept, const World& world);

// Block hashes from a filter, on top of the chain that it began with: at the end the world's chain above
// `kept`. A removed block that returns before another hash was sent is still valid.
void check_block_hashes(const std::vector<std::string>& results, const Joined& joined, std::uint64_t kept,
                        const World& world);

// How often each block was the head of a loop.
using TimesHead = std::map<eth::Hash256, std::uint64_t>;

// Receipts: each block of the world's chain above `kept` once, in order; a block that was removed and
// returned may be sent each time. Receipts of removed blocks are not checked.
void check_receipts(const std::vector<std::string>& results, const eth::ReceiptFilter& filter,
                    std::uint64_t kept, const TimesHead& times_head, const World& world);

}  // namespace fanfare::gateway::simulated
