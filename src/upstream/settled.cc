#include "upstream/settled.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

#include "jsonrpc/value.h"

namespace fanfare::upstream {
namespace {

constexpr std::size_t kBlockHashSize = 66;

// Methods whose answer depends on the chain only through one parameter that names a block.
struct SettledRule {
  std::string_view method;
  std::size_t block_index;  // which parameter
};
constexpr std::array kRules = std::to_array<SettledRule>({
    {"eth_call", 1},
    {"eth_getBalance", 1},
    {"eth_getBlockByHash", 0},
    {"eth_getBlockByNumber", 0},
    {"eth_getBlockReceipts", 0},
    {"eth_getBlockTransactionCountByHash", 0},
    {"eth_getBlockTransactionCountByNumber", 0},
    {"eth_getCode", 1},
    {"eth_getProof", 2},
    {"eth_getStorageAt", 2},
    {"eth_getTransactionByBlockHashAndIndex", 0},
    {"eth_getTransactionByBlockNumberAndIndex", 0},
    {"eth_getTransactionCount", 1},
    {"eth_getUncleByBlockHashAndIndex", 0},
    {"eth_getUncleByBlockNumberAndIndex", 0},
    {"eth_getUncleCountByBlockHash", 0},
    {"eth_getUncleCountByBlockNumber", 0},
});

bool is_hash(std::string_view text) {
  return text.size() == kBlockHashSize && text.starts_with("0x");
}

std::optional<std::uint64_t> quantity(std::string_view text) {
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "0x<number>", "0x<hash>", or EIP-1898's {"blockHash":..} and {"blockNumber":..}.
std::optional<std::uint64_t> settled_block(std::string_view raw) {
  if (jsonrpc::kind_of(raw) == jsonrpc::Kind::object) {
    const auto hash = jsonrpc::member(raw, "blockHash");
    const auto number = jsonrpc::member(raw, "blockNumber");
    // EIP-1898: with requireCanonical a reorg turns the answer into an error.
    if ((hash && number) || jsonrpc::member(raw, "requireCanonical")) return std::nullopt;
    const auto& named = hash ? hash : number;
    if (!named) return std::nullopt;
    raw = *named;
  }
  const auto text = jsonrpc::string_value(raw);
  if (!text) return std::nullopt;
  if (is_hash(*text)) return 0;
  return quantity(*text);
}

std::optional<std::uint64_t> settled_logs(std::string_view filter) {
  if (jsonrpc::member(filter, "blockHash")) return settled_block(filter);
  const auto from = jsonrpc::member(filter, "fromBlock");
  const auto to = jsonrpc::member(filter, "toBlock");
  if (!from || !to) return std::nullopt;  // missing means "latest"
  const auto from_text = jsonrpc::string_value(*from);
  const auto to_text = jsonrpc::string_value(*to);
  if (!from_text || !to_text) return std::nullopt;
  const auto first = quantity(*from_text);
  const auto last = quantity(*to_text);
  if (!first || !last) return std::nullopt;
  return std::max(*first, *last);
}

}  // namespace

std::optional<std::uint64_t> settled_from(std::string_view method, std::string_view params_raw) {
  if (method == "eth_getLogs") {
    const auto filter = jsonrpc::element(params_raw, 0);
    return filter ? settled_logs(*filter) : std::nullopt;
  }
  if (method == "web3_sha3") return 0;
  const auto* const rule = std::ranges::find(kRules, method, &SettledRule::method);
  if (rule == kRules.end()) return std::nullopt;
  // A third parameter of eth_call overrides state: the answer still depends only on the request.
  const auto block = jsonrpc::element(params_raw, rule->block_index);
  return block ? settled_block(*block) : std::nullopt;
}

}  // namespace fanfare::upstream
