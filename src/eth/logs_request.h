#pragma once
// How a block's logs are requested. There are three strategies: a node that fails with one may support
// another.
//
//   by_hash      eth_getLogs {"blockHash":..}               exact
//   by_number    eth_getLogs {"fromBlock":n,"toBlock":n}    every log names its block, but an empty
//                                                           answer may be about another block of this height
//   by_receipts  eth_getBlockReceipts of the hash           exact, also where the block has no logs
//
// Answers are compared with the block's hash and with its bloom filter. No I/O.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "eth/block_logs.h"
#include "eth/header.h"

namespace fanfare::eth {

struct LogsRequest {
  enum class Strategy : std::uint8_t { by_hash, by_number, by_receipts };

  std::string_view method;  // static
  std::string params_json;

  static LogsRequest about(const Header& header, Strategy strategy);
  // The strategy after `tries` failed tries, beginning with `first`. With one to three pool members used in
  // turn, twelve tries use every strategy on every member.
  static Strategy strategy_after(Strategy first, std::uint32_t tries);

  struct Answer {
    BlockLogs logs;
    bool shows_block = false;  // it is about this block even if it has no logs
  };
  // `result_json` is the value of `result`. The error is one line for the log.
  static std::expected<Answer, std::string> read(std::string_view result_json, Strategy strategy,
                                                 const Header& header);
  // The answer has no logs, and this cannot be trusted.
  static bool is_doubtful(const Answer& answer, Strategy strategy, const Header& header, bool bloom_trusted);
};

}  // namespace fanfare::eth
