#include "upstream/methods.h"

#include <algorithm>
#include <array>
#include <string>

namespace fanfare::upstream {
namespace {

// Sorted for binary search. Filters (eth_newFilter, eth_getFilterChanges, ..) are left out on purpose: they
// live in one node.
constexpr std::array kReads = std::to_array<std::string_view>({
    "debug_getRawBlock",
    "debug_getRawHeader",
    "debug_getRawReceipts",
    "debug_getRawTransaction",
    "debug_traceBlockByHash",
    "debug_traceBlockByNumber",
    "debug_traceCall",
    "debug_traceTransaction",
    "eth_accounts",
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_coinbase",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getHeaderByHash",
    "eth_getHeaderByNumber",
    "eth_getLogs",
    "eth_getProof",
    "eth_getRawTransactionByBlockHashAndIndex",
    "eth_getRawTransactionByBlockNumberAndIndex",
    "eth_getRawTransactionByHash",
    "eth_getStorageAt",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleCountByBlockHash",
    "eth_getUncleCountByBlockNumber",
    "eth_getWork",
    "eth_hashrate",
    "eth_maxPriorityFeePerGas",
    "eth_mining",
    "eth_pendingTransactions",
    "eth_protocolVersion",
    "eth_simulateV1",
    "eth_syncing",
    "net_listening",
    "net_peerCount",
    "net_version",
    "rpc_modules",
    "trace_block",
    "trace_call",
    "trace_callMany",
    "trace_filter",
    "trace_get",
    "trace_replayBlockTransactions",
    "trace_replayTransaction",
    "trace_transaction",
    "txpool_content",
    "txpool_contentFrom",
    "txpool_inspect",
    "txpool_status",
    "web3_clientVersion",
    "web3_sha3",
});
static_assert(std::ranges::is_sorted(kReads));

// Frequent methods that are not reads, and the label for all other methods.
constexpr std::array kMoreLabels = std::to_array<std::string_view>({
    "batch",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_newBlockFilter",
    "eth_newFilter",
    "eth_newPendingTransactionFilter",
    "eth_sendRawTransaction",
    "eth_sendTransaction",
    "eth_uninstallFilter",
    "other",
});
constexpr auto kLabels = [] {
  std::array<std::string_view, kReads.size() + kMoreLabels.size()> all;
  std::ranges::copy(kReads, all.begin());
  std::ranges::copy(kMoreLabels, all.begin() + kReads.size());
  return all;
}();
static_assert(kLabels.size() <= kMethodLabelsMax);

}  // namespace

Repeat repeat_of(std::string_view method) {
  return std::ranges::binary_search(kReads, method) ? Repeat::always : Repeat::if_unsent;
}

bool rewrites_the_past(std::string_view method) {
  static constexpr std::array kPrefixes = std::to_array<std::string_view>(
      {"anvil_", "hardhat_", "evm_", "dev_", "ganache_", "tenderly_", "debug_set"});
  return std::ranges::any_of(kPrefixes,
                             [method](std::string_view prefix) { return method.starts_with(prefix); });
}

std::size_t method_label_index(std::string_view method) {
  const auto* const read = std::ranges::lower_bound(kReads, method);
  if (read != kReads.end() && *read == method) return static_cast<std::size_t>(read - kReads.begin());
  const auto* const more = std::ranges::find(kMoreLabels, method);
  const std::size_t index = more == kMoreLabels.end() ? kMoreLabels.size() - 1
                                                      : static_cast<std::size_t>(more - kMoreLabels.begin());
  return kReads.size() + index;
}

std::span<const std::string_view> method_labels() {
  return kLabels;
}

CallOptions options_for(std::string_view method) {
  return {
      .method = std::string(method), .repeat = repeat_of(method), .tells_chain_id = method == "eth_chainId"};
}

CallOptions options_for_batch(std::span<const std::string_view> methods) {
  const bool reads_only = std::ranges::all_of(
      methods, [](std::string_view method) { return repeat_of(method) == Repeat::always; });
  return {.method = "batch", .repeat = reads_only ? Repeat::always : Repeat::if_unsent};
}

}  // namespace fanfare::upstream
