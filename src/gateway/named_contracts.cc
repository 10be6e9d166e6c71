#include "gateway/named_contracts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "eth/feeds/feed.h"
#include "http/headers.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

using jsonrpc::Kind;

// Their first parameter is a transaction.
constexpr auto kTransactions = std::to_array<std::string_view>(
    {"eth_call", "eth_estimateGas", "eth_createAccessList", "eth_sendTransaction", "eth_signTransaction",
     "eth_sendTransactionSync", "eth_sendTransactionAsync", "eth_sendUnsignedTransaction",
     "eth_fillTransaction", "eth_resend", "debug_traceCall", "trace_call", "linea_estimateGas"});
// Their first parameter is the address of a contract.
constexpr auto kContracts =
    std::to_array<std::string_view>({"eth_getCode", "eth_getStorageAt", "eth_getProof"});
constexpr auto kFilters = std::to_array<std::string_view>({"eth_getLogs", "eth_newFilter"});
constexpr auto kRaw =
    std::to_array<std::string_view>({"eth_sendRawTransaction", "eth_sendRawTransactionSync",
                                     "eth_sendRawTransactionConditional", "eth_sendPrivateRawTransaction"});
// They name no contract: the chain, blocks, transactions and their traces, accounts, the node. A pattern ends with '*'.
constexpr auto kNone =
    std::to_array<std::string_view>({"eth_blockNumber",
                                     "eth_chainId",
                                     "eth_config",
                                     "eth_protocolVersion",
                                     "eth_syncing",
                                     "eth_gasPrice",
                                     "eth_maxPriorityFeePerGas",
                                     "eth_baseFee",
                                     "eth_blobBaseFee",
                                     "eth_feeHistory",
                                     "eth_accounts",
                                     "eth_coinbase",
                                     "eth_mining",
                                     "eth_hashrate",
                                     "eth_getBalance",
                                     "eth_getTransactionCount",
                                     "eth_getBlockByNumber",
                                     "eth_getBlockByHash",
                                     "eth_getHeaderByNumber",
                                     "eth_getHeaderByHash",
                                     "eth_getBlockTransactionCountByNumber",
                                     "eth_getBlockTransactionCountByHash",
                                     "eth_getUncleCountByBlockNumber",
                                     "eth_getUncleCountByBlockHash",
                                     "eth_getUncleByBlockNumberAndIndex",
                                     "eth_getUncleByBlockHashAndIndex",
                                     "eth_getTransactionByHash",
                                     "eth_getTransactionByBlockNumberAndIndex",
                                     "eth_getTransactionByBlockHashAndIndex",
                                     "eth_getRawTransactionByHash",
                                     "eth_getRawTransactionByBlockNumberAndIndex",
                                     "eth_getRawTransactionByBlockHashAndIndex",
                                     "eth_getTransactionReceipt",
                                     "eth_pendingTransactions",
                                     "eth_newBlockFilter",
                                     "eth_newPendingTransactionFilter",
                                     "eth_getFilterChanges",  // of a filter whose addresses were checked
                                     "eth_getFilterLogs",
                                     "eth_uninstallFilter",
                                     "eth_unsubscribe",
                                     "eth_sign",
                                     "eth_signTypedData*",
                                     "net_*",
                                     "web3_*",
                                     "rpc_*",
                                     "txpool_*",
                                     "fanfare_*",
                                     "trace_block",
                                     "trace_filter",
                                     "trace_get",
                                     "trace_transaction",
                                     "trace_replayTransaction",
                                     "trace_replayBlockTransactions",
                                     "debug_traceTransaction",
                                     "debug_traceBlock",
                                     "debug_traceBlockByNumber",
                                     "debug_traceBlockByHash",
                                     "debug_traceChain",
                                     "debug_getRawHeader",
                                     "debug_getRawBlock",
                                     "debug_getRawTransaction",
                                     "debug_getBadBlocks",
                                     "admin_*",
                                     "evm_mine",
                                     "evm_snapshot",
                                     "evm_revert",
                                     "evm_increaseTime",
                                     "evm_setNextBlockTimestamp",
                                     "evm_setAutomine",
                                     "evm_setIntervalMining",
                                     "anvil_mine"});

// A node may ignore the case of names.
bool fits(std::string_view pattern, std::string_view method) {
  if (!pattern.ends_with('*')) return http::equals_ignoring_case(pattern, method);
  pattern.remove_suffix(1);
  return http::equals_ignoring_case(pattern, method.substr(0, pattern.size()));
}
bool is_one_of(std::span<const std::string_view> patterns, std::string_view method) {
  return std::ranges::any_of(patterns, [&](std::string_view one) { return fits(one, method); });
}

class Collector {
 public:
  NamedContracts take() && { return std::move(found_); }
  void every() { found_.every = true; }

  // A JSON value that should be an address.
  void add(std::string_view raw) {
    const auto text = jsonrpc::string_copy(raw);
    if (!text) return every();
    std::string address = *text;
    std::ranges::transform(address, address.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const bool is_address = address.size() == 42 && address.starts_with("0x") &&
                            std::ranges::all_of(address.substr(2), [](char c) {
                              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                            });
    if (!is_address) return every();
    found_.addresses.push_back(std::move(address));
  }
  void add_bytes(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string address = "0x";
    for (const std::uint8_t byte : bytes) {
      address.push_back(kDigits[byte >> 4U]);
      address.push_back(kDigits[byte & 15U]);
    }
    found_.addresses.push_back(std::move(address));
  }

 private:
  NamedContracts found_;
};

// Visits every member that some node may read as `name`: Go's encoding/json ignores case, also of letters such as the
// Kelvin sign. False: a name that cannot be compared.
template <typename Visit>
bool for_each_member(std::string_view object, std::string_view name, const Visit& visit) {
  for (const jsonrpc::Member& member : jsonrpc::object_members(object)) {
    const auto its_name = jsonrpc::string_copy("\"" + std::string(member.name) + "\"");
    if (!its_name ||
        std::ranges::any_of(*its_name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
      return false;
    }
    if (http::equals_ignoring_case(*its_name, name)) visit(member.value);
  }
  return true;
}

void add_transaction(std::string_view transaction, Collector& out) {
  if (jsonrpc::kind_of(transaction) != Kind::object) return out.every();
  bool has_target = false;
  const bool is_clear = for_each_member(transaction, "to", [&](std::string_view value) {
    has_target = true;
    out.add(value);
  });
  if (!is_clear || !has_target) out.every();
}

bool is_given(std::optional<std::string_view> parameter) {
  if (!parameter) return false;
  const Kind kind = jsonrpc::kind_of(*parameter);
  return kind != Kind::null && (kind != Kind::object || jsonrpc::object_members(*parameter).begin() !=
                                                            jsonrpc::object_members(*parameter).end());
}

// With an override of state the caller supplies code, which may call any contract.
void add_overrides(std::string_view method, std::string_view params, Collector& out) {
  if (http::equals_ignoring_case(method, "debug_traceCall")) {
    const auto options = jsonrpc::element(params, 2);
    if (!is_given(options)) return;
    if (jsonrpc::kind_of(*options) != Kind::object) return out.every();
    const bool is_clear = for_each_member(*options, "stateOverrides", [&](std::string_view value) {
      if (is_given(value)) out.every();
    });
    if (!is_clear) out.every();
  } else if (!http::equals_ignoring_case(method, "trace_call") && is_given(jsonrpc::element(params, 2))) {
    out.every();
  }
  if (is_given(jsonrpc::element(params, 3))) out.every();
}

void add_filter(std::string_view filter, Collector& out) {
  if (jsonrpc::kind_of(filter) != Kind::object) return out.every();
  bool has_address = false;
  const bool is_clear = for_each_member(filter, "address", [&](std::string_view value) {
    has_address = true;
    if (jsonrpc::kind_of(value) != Kind::array) return out.add(value);
    // An empty list means every contract.
    if (jsonrpc::element_count(value) == 0) out.every();
    for (const std::string_view one : jsonrpc::array_elements(value)) out.add(one);
  });
  if (!is_clear || !has_address) out.every();
}

// One item of RLP: its content, and what follows. Empty: not canonical, or cut off.
struct RlpItem {
  bool is_list = false;
  std::span<const std::uint8_t> content;
  std::span<const std::uint8_t> rest;
};

std::optional<RlpItem> rlp_item(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return std::nullopt;
  const std::uint8_t first = bytes[0];
  if (first < 0x80) return RlpItem{.content = bytes.first(1), .rest = bytes.subspan(1)};
  const bool is_list = first >= 0xc0;
  const std::size_t code = first - (is_list ? 0xc0U : 0x80U);
  std::size_t size = code;
  std::size_t head = 1;
  if (code > 55) {
    head = 1 + (code - 55);
    if (bytes.size() < head || head > 5) return std::nullopt;
    size = 0;
    for (std::size_t i = 1; i < head; ++i) size = size << 8U | bytes[i];
  }
  if (bytes.size() - head < size) return std::nullopt;
  return RlpItem{
      .is_list = is_list, .content = bytes.subspan(head, size), .rest = bytes.subspan(head + size)};
}

std::optional<std::vector<std::uint8_t>> hex_bytes(std::string_view text) {
  if (!text.starts_with("0x") && !text.starts_with("0X")) return std::nullopt;
  text.remove_prefix(2);
  if (text.size() % 2 != 0) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::vector<std::uint8_t> bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return bytes;
}

// Where `to` stands among the fields: after nonce, price and gas; typed ones have more before it.
std::optional<std::size_t> position_of_target(std::uint8_t type) {
  switch (type) {
    case 1:  // EIP-2930: chain id, nonce, price, gas
      return 4;
    case 2:  // EIP-1559
    case 3:  // EIP-4844
    case 4:  // EIP-7702: chain id, nonce, two prices, gas
      return 5;
    default:
      return std::nullopt;
  }
}

void add_raw(std::string_view raw, Collector& out) {
  const auto text = jsonrpc::string_copy(raw);
  const auto bytes = text ? hex_bytes(*text) : std::nullopt;
  if (!bytes || bytes->empty()) return out.every();
  std::span<const std::uint8_t> rest = *bytes;
  std::size_t position = 3;
  if (rest[0] < 0x80) {
    const auto typed = position_of_target(rest[0]);
    if (!typed) return out.every();
    position = *typed;
    rest = rest.subspan(1);
  }
  auto list = rlp_item(rest);
  if (!list || !list->is_list) return out.every();
  // EIP-4844: with its blobs, the transaction is the first element of a list.
  if (const auto inner = rlp_item(list->content); inner && inner->is_list) list = inner;
  rest = list->content;
  std::optional<RlpItem> item;
  for (std::size_t i = 0; i <= position; ++i) {
    item = rlp_item(rest);
    if (!item) return out.every();
    rest = item->rest;
  }
  // 20 bytes, or none for a creation.
  if (item->is_list || item->content.size() != 20) return out.every();
  out.add_bytes(item->content);
}

}  // namespace

NamedContracts named_contracts(std::string_view method, std::string_view params) {
  Collector found;
  const auto first = jsonrpc::element(params, 0);
  const auto with_first = [&](auto add) {
    if (first) {
      add(*first, found);
    } else {
      found.every();
    }
  };
  if (is_one_of(kTransactions, method)) {
    with_first(add_transaction);
    add_overrides(method, params, found);
  } else if (is_one_of(kRaw, method)) {
    with_first(add_raw);
  } else if (is_one_of(kFilters, method)) {
    with_first(add_filter);
  } else if (is_one_of(kContracts, method)) {
    with_first([](std::string_view raw, Collector& out) { out.add(raw); });
  } else if (http::equals_ignoring_case(method, "eth_subscribe")) {
    const auto name = first ? jsonrpc::string_copy(*first) : std::nullopt;
    const eth::FeedType* const type = name ? eth::find_feed_type(*name) : nullptr;
    switch (type == nullptr ? eth::ShownContracts::every : type->contracts) {
      case eth::ShownContracts::every:
        found.every();
        break;
      case eth::ShownContracts::of_address:
        add_filter(jsonrpc::element(params, 1).value_or(""), found);
        break;
      case eth::ShownContracts::none:
        break;
    }
  } else if (!is_one_of(kNone, method)) {
    found.every();
  }
  return std::move(found).take();
}

}  // namespace fanfare::gateway
