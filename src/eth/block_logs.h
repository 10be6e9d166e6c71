#pragma once
// The logs of one block: parsed from the answer to eth_getLogs, and serialised for logs notifications. The
// fields that filters compare are stored beside each log.

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eth/hex.h"
#include "eth/log_filter.h"

namespace fanfare::eth {

struct BlockLogs {
  struct Entry {
    LogKey key;
    // The log's object without its end: `removed` is its last member, and the only one that ever changes.
    std::string head_json;
  };
  std::vector<Entry> entries;  // by logIndex

  // The notification's `result`. Appends to `out`.
  static void append_json(const Entry& entry, bool removed, std::string& out);
};

using BlockLogsPtr = std::shared_ptr<const BlockLogs>;

// `logs_json` is the value of `result`. It must be an array of logs of the block `block_hash`, each with
// address, topics, data, blockNumber, transactionHash, transactionIndex, blockHash and logIndex, none of them
// null. These members are kept verbatim. Logs with `removed: true` are left out. The error is one line for
// the log.
std::expected<BlockLogs, std::string> parse_block_logs(std::string_view logs_json, const Hash256& block_hash);

}  // namespace fanfare::eth
