#pragma once
// How a block's logs are asked for. There are three ways, for a node that fails with one may do with another:
//
//   by_hash      eth_getLogs {"blockHash":..}               exact
//   by_number    eth_getLogs {"fromBlock":n,"toBlock":n}    every log names its block; that there are none
//   may
//                                                           be said of another block of the same height
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
  // The way to go after so many tries that failed, beginning with `first`. With one to three members that are
  // tried in turn, twelve tries go every way to every member.
  static Strategy strategy_after(Strategy first, std::uint32_t tries);

  struct Answer {
    BlockLogs logs;
    bool shows_block = false;  // even where it holds no logs, it is about this block
  };
  // `result_json` is the value of `result`. The error is one line for the log.
  static std::expected<Answer, std::string> read(std::string_view result_json, Strategy strategy,
                                                 const Header& header);
  // No logs, and that cannot be believed.
  static bool is_doubtful(const Answer& answer, Strategy strategy, const Header& header, bool bloom_trusted);
};

}  // namespace fanfare::eth
