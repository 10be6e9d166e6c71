#pragma once
// What a subscriber was told, held against the final chain. Knows the world's blocks and the notifications'
// text, and nothing of how they came about. Whatever does not add up is thrown as a std::runtime_error.

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

namespace fanfare::gateway::testing {

// The head a loop had shown when a subscription began: what comes later begins above it.
struct Joined {
  std::uint64_t number = 0;
  eth::Hash256 hash;
};

// Heads, one after the other: each the child of one told before (the last, or one that a reorg goes back to),
// none left out; in the end the world's own chain. A head comes again only after another took its place.
void check_heads(const std::vector<std::string>& results, const Joined& joined, const World& world);

// The lowest block a reorg went back to after the join, from the heads told since: logs are owed from there
// on.
std::uint64_t lowest_kept(const std::vector<std::string>& heads_since, std::uint64_t joined_number);

// Logs: what is removed is the newest of what stands; in the end exactly the matching logs of the world's
// chain above `kept`.
void check_logs(const std::vector<std::string>& results, const eth::LogFilter& filter,
                std::uint64_t joined_number, std::uint64_t kept, const World& world);

// Hashes of blocks, as a filter tells them, on top of the chain that it began with: in the end the world's
// above `kept`. What was taken back and comes again with nothing told in its place still stands.
void check_block_hashes(const std::vector<std::string>& results, const Joined& joined, std::uint64_t kept,
                        const World& world);

// How often a loop had each block as its head.
using TimesHead = std::map<eth::Hash256, std::uint64_t>;

// Receipts: each block of the world's chain above `kept` once, in order; a block that was left and came back
// may be told each time. Of blocks that are gone anything may have been told.
void check_receipts(const std::vector<std::string>& results, const eth::ReceiptFilter& filter,
                    std::uint64_t kept, const TimesHead& times_head, const World& world);

}  // namespace fanfare::gateway::testing
