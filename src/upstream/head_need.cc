#include "upstream/head_need.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "jsonrpc/value.h"

namespace fanfare::upstream {
namespace {

// Sorted by method: the parameter that names the block; if missing, the newest block is meant.
struct Rule {
  std::string_view method;
  std::size_t block_index;
};
constexpr auto kByBlock = std::to_array<Rule>({
    {"debug_getRawBlock", 0},
    {"debug_getRawHeader", 0},
    {"debug_getRawReceipts", 0},
    {"debug_traceBlockByNumber", 0},
    {"debug_traceCall", 1},
    {"eth_call", 1},
    {"eth_createAccessList", 1},
    {"eth_estimateGas", 1},
    {"eth_feeHistory", 1},
    {"eth_getBalance", 1},
    {"eth_getBlockByNumber", 0},
    {"eth_getBlockReceipts", 0},
    {"eth_getBlockTransactionCountByNumber", 0},
    {"eth_getCode", 1},
    {"eth_getHeaderByNumber", 0},
    {"eth_getProof", 2},
    {"eth_getRawTransactionByBlockNumberAndIndex", 0},
    {"eth_getStorageAt", 2},
    {"eth_getTransactionByBlockNumberAndIndex", 0},
    {"eth_getTransactionCount", 1},
    {"eth_getUncleByBlockNumberAndIndex", 0},
    {"eth_getUncleCountByBlockNumber", 0},
    {"eth_simulateV1", 1},
    {"trace_block", 0},
    {"trace_call", 2},
    {"trace_callMany", 1},
    {"trace_replayBlockTransactions", 0},
});
static_assert(std::ranges::is_sorted(kByBlock, {}, &Rule::method));

// A block named by hash, or the newest block, may be as new as the block the caller was shown.
constexpr auto kNewest = std::to_array<std::string_view>({
    "debug_getRawTransaction",
    "debug_traceBlockByHash",
    "debug_traceTransaction",
    "eth_blockNumber",
    "eth_getBlockByHash",
    "eth_getBlockTransactionCountByHash",
    "eth_getHeaderByHash",
    "eth_getRawTransactionByBlockHashAndIndex",
    "eth_getRawTransactionByHash",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getUncleCountByBlockHash",
    "trace_get",
    "trace_replayTransaction",
    "trace_transaction",
});
static_assert(std::ranges::is_sorted(kNewest));

constexpr std::size_t kHashParameterSize = 66;

// `raw` is a number, a tag, a hash, or EIP-1898's object with one of them.
std::uint64_t needed_for(std::string_view raw, std::uint64_t shown) {
  if (jsonrpc::kind_of(raw) == jsonrpc::Kind::object) {
    const auto number = jsonrpc::member(raw, "blockNumber");
    if (!number) return shown;
    raw = *number;
  }
  const auto text = jsonrpc::string_value(raw);
  if (!text) return shown;
  if (text == "earliest") return 0;
  if (!text->starts_with("0x") || text->size() == kHashParameterSize) return shown;
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [read, failed] = std::from_chars(text->data() + 2, end, value, 16);
  return failed == std::errc{} && read == end ? std::min(value, shown) : shown;
}

// For a range that ends above its head, a node omits the missing blocks without an error.
std::uint64_t needed_for_range(std::string_view filter, std::uint64_t shown) {
  if (jsonrpc::kind_of(filter) != jsonrpc::Kind::object) return shown;
  if (jsonrpc::member(filter, "blockHash")) return shown;
  const auto from = jsonrpc::member(filter, "fromBlock");
  const auto to = jsonrpc::member(filter, "toBlock");
  if (!to) return shown;
  return std::max(needed_for(*to, shown), from ? needed_for(*from, shown) : 0);
}

}  // namespace

std::uint64_t head_needed(std::string_view method, std::string_view params_raw, std::uint64_t shown) {
  if (shown == 0) return 0;
  if (method == "eth_getLogs" || method == "trace_filter") {
    return needed_for_range(jsonrpc::element(params_raw, 0).value_or("null"), shown);
  }
  if (std::ranges::binary_search(kNewest, method)) return shown;
  const auto* const rule = std::ranges::lower_bound(kByBlock, method, {}, &Rule::method);
  if (rule == kByBlock.end() || rule->method != method) return 0;
  const auto block = jsonrpc::element(params_raw, rule->block_index);
  return block ? needed_for(*block, shown) : shown;
}

}  // namespace fanfare::upstream
