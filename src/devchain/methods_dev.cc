// What the development chain says about a network that it does not have: peers and markets are simulated, as functions of
// the seed and the head. Heights, times, transactions and amounts are those of the chain itself.

#include <algorithm>
#include <array>
#include <cmath>

#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

constexpr std::array<std::string_view, 4> kMarkets{"compute", "storage", "energy", "ads"};
constexpr std::uint64_t kBlocksOfRates = 10;  // over which rates are averaged
constexpr std::uint64_t kPeersMax = 12;
constexpr std::uint64_t kReceiptsMax = 200;
constexpr std::uint64_t kReceiptsByDefault = 20;

// Evenly spread, and the same for the same arguments.
std::uint64_t mixed(const Chain& chain, std::uint64_t topic, std::uint64_t index, std::uint64_t epoch) {
  return SeededRandom(chain.options().seed ^ (topic << 56U) ^ (index << 40U) ^ epoch).next_u64();
}

struct Peer {
  std::uint64_t index = 0;
  std::uint64_t latency_ms = 0;
  bool is_validator = false;
};

// A peer stays for some 20 blocks; its latency changes with every block.
std::vector<Peer> peers_of(const Chain& chain) {
  std::vector<Peer> peers;
  const std::uint64_t height = chain.head().number();
  for (std::uint64_t i = 0; i < kPeersMax; ++i) {
    if (mixed(chain, 1, i, height / 20) % 8 == 0) continue;
    const std::uint64_t latency = 8 + mixed(chain, 2, i, 0) % 120 + mixed(chain, 3, i, height) % 25;
    peers.push_back({.index = i, .latency_ms = latency, .is_validator = i % 3 == 0});
  }
  return peers;
}

// The newest blocks, at most so many.
template <typename Visit>
void each_recent(const Chain& chain, std::uint64_t count, Visit&& visit) {
  for (std::uint64_t i = 0, at = chain.head().number(); i < count; ++i, --at) {
    const BlockPtr block = chain.ledger().by_number(at);
    if (block == nullptr || !visit(*block) || at == 0) return;
  }
}

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string tenths(double value) {
  const long long rounded = std::llround(std::max(value, 0.0) * 10);
  return std::to_string(rounded / 10) + "." + std::to_string(rounded % 10);
}

Answer network_status(Chain& chain, Params&) {
  const std::vector<Peer> peers = peers_of(chain);
  const auto near = static_cast<std::uint64_t>(
      std::ranges::count_if(peers, [](const Peer& peer) { return peer.latency_ms < 100; }));
  std::uint64_t blocks = 0;
  std::uint64_t transactions = 0;
  std::uint64_t bytes = 0;
  each_recent(chain, kBlocksOfRates, [&](const Block& block) {
    ++blocks;
    transactions += block.transactions.size();
    bytes += block.size;
    return true;
  });
  const double seconds =
      seconds_of(chain.options().block_time) * static_cast<double>(std::max<std::uint64_t>(blocks, 1));
  // Each block comes from one peer and goes to all of them.
  const auto in = static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds);
  const BlockPtr finalized = chain.ledger().by_number(chain.finalized_number());
  const std::uint64_t finality =
      finalized == nullptr ? 0 : chain.head().header.timestamp - finalized->header.timestamp;
  JsonObject json;
  json.raw("strength", std::to_string(peers.empty() ? 0 : 40 + 60 * near / peers.size()))
      .raw("finalitySeconds", std::to_string(finality))
      .raw("peerCount", std::to_string(peers.size()))
      .raw("transactionsPerSecond", tenths(static_cast<double>(transactions) / seconds))
      .raw("bytesInPerSecond", std::to_string(in))
      .raw("bytesOutPerSecond", std::to_string(in * peers.size()))
      .raw("connections", std::to_string(peers.size() + mixed(chain, 4, 0, chain.head().number() / 5) % 40));
  return std::move(json).done();
}

Answer peers(Chain& chain, Params&) {
  std::vector<std::string> elements;
  for (const Peer& peer : peers_of(chain)) {
    JsonObject json;
    // RFC5737: addresses for documentation.
    json.text("id", quantity(mixed(chain, 5, peer.index, 0)))
        .text("address", "192.0.2." + std::to_string(peer.index + 1) + ":30303")
        .raw("latencyMs", std::to_string(peer.latency_ms))
        .raw("isValidator", peer.is_validator ? "true" : "false");
    elements.push_back(std::move(json).done());
  }
  return json_array(elements);
}

// The state of a market lasts for 30 blocks.
std::string_view status_of(const Chain& chain, std::uint64_t market) {
  const std::uint64_t chance = mixed(chain, 6, market, chain.head().number() / 30) % 20;
  if (chance == 0) return "down";
  return chance < 4 ? "degraded" : "healthy";
}

Answer markets_health(Chain& chain, Params&) {
  JsonObject markets;
  std::uint64_t healthy = 0;
  std::uint64_t down = 0;
  for (std::uint64_t i = 0; i < kMarkets.size(); ++i) {
    const std::string_view status = status_of(chain, i);
    if (status == "healthy") ++healthy;
    const bool is_down = status == "down";
    if (is_down) ++down;
    JsonObject market;
    market.text("status", status)
        .raw("providers",
             std::to_string(is_down ? 0 : 5 + mixed(chain, 7, i, chain.head().number() / 10) % 40))
        .raw("orders", std::to_string(is_down ? 0 : mixed(chain, 8, i, chain.head().number()) % 200))
        .raw("utilization",
             tenths(is_down ? 0
                            : 20 + static_cast<double>(mixed(chain, 9, i, chain.head().number() / 3) % 700) /
                                       10));
    markets.raw(kMarkets.at(i), std::move(market).done());
  }
  JsonObject json;
  json.text("overallStatus", down > 1                     ? "critical"
                             : healthy == kMarkets.size() ? "healthy"
                                                          : "degraded")
      .raw("markets", std::move(markets).done())
      .raw("healthyMarkets", std::to_string(healthy))
      .raw("totalMarkets", std::to_string(kMarkets.size()));
  return std::move(json).done();
}

struct Transfer {
  Address to{};
  Wei amount = 0;
};

// Of ether, or of a token (ERC-20: transfer(address,uint256)). Empty: the transaction creates a contract.
std::optional<Transfer> transfer_of(const Transaction& transaction) {
  constexpr std::array<std::uint8_t, 4> kTransfer{0xa9, 0x05, 0x9c, 0xbb};
  if (!transaction.to) return std::nullopt;
  const Bytes data = transaction.data;
  if (data.size() != 68 || !std::ranges::equal(data.first(4), kTransfer)) {
    return Transfer{.to = *transaction.to, .amount = transaction.value};
  }
  Hash to{};
  std::ranges::copy(data.subspan(4, 32), to.begin());
  return Transfer{.to = address_of_word(to), .amount = number_of(data.subspan(36, 32))};
}

// Every transaction of the chain counts as the receipt of a trade: its recipient provides, its sender consumes.
Answer market_receipts(Chain& chain, Params& params) {
  const std::uint64_t wanted = params.has(0) ? params.number(0) : kReceiptsByDefault;
  FANFARE_PARAMS_OK(params);
  if (wanted > kReceiptsMax)
    return failure(-32602, "at most " + std::to_string(kReceiptsMax) + " receipts at once");
  std::vector<std::string> elements;
  each_recent(chain, kReceiptsMax, [&](const Block& block) {
    for (std::size_t i = block.transactions.size(); i-- > 0 && elements.size() < wanted;) {
      const Transaction& transaction = *block.transactions[i];
      const auto transfer = transfer_of(transaction);
      if (!transfer) continue;
      JsonObject json;
      json.bytes("id", transaction.hash)
          .text("market", kMarkets.at(transaction.hash[0] % kMarkets.size()))
          .number("blockHeight", block.number())
          .raw("timestamp", std::to_string(block.header.timestamp))
          .bytes("provider", transfer->to)
          .bytes("consumer", transaction.from)
          .number("amount", transfer->amount);
      elements.push_back(std::move(json).done());
    }
    return elements.size() < wanted;
  });
  return json_array(elements);
}

constexpr std::array<Method, 4> kMethods = {{
    {"dev_networkStatus", 0, network_status},
    {"dev_peers", 0, peers},
    {"dev_marketsHealth", 0, markets_health},
    {"dev_marketReceipts", 1, market_receipts},
}};

}  // namespace

std::span<const Method> dev_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
