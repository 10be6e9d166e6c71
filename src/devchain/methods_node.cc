#include <array>

#include "devchain/keccak.h"
#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

Answer chain_id(Chain& chain, Params&) {
  return json_string(quantity(chain.options().chain_id));
}
Answer net_version(Chain& chain, Params&) {
  return json_string(std::to_string(chain.options().chain_id));
}
Answer listening(Chain&, Params&) {
  return "true";
}
Answer peer_count(Chain&, Params&) {
  return "\"0x0\"";
}
Answer mining(Chain&, Params&) {
  return "false";
}
Answer client_version(Chain&, Params&) {
  return "\"fanfare/0.1.0/devchain\"";
}
Answer modules(Chain&, Params&) {
  return R"({"eth":"1.0","evm":"1.0","net":"1.0","rpc":"1.0","txpool":"1.0","web3":"1.0"})";
}

Answer sha3(Chain&, Params& params) {
  const Blob bytes = params.bytes(0);
  FANFARE_PARAMS_OK(params);
  return json_string(hex(keccak(bytes)));
}

Answer coinbase(Chain& chain, Params&) {
  return json_string(hex(chain.head().header.miner));
}

Answer accounts(Chain& chain, Params&) {
  std::vector<std::string> addresses;
  for (const DevAccount& account : chain.accounts()) addresses.push_back(json_string(hex(account.address)));
  return json_array(addresses);
}

Answer syncing(Chain& chain, Params&) {
  if (!chain.syncing()) return "false";
  JsonObject json;
  json.number("startingBlock", 0)
      .number("currentBlock", chain.head().number())
      .number("highestBlock", chain.options().sync_blocks);
  return std::move(json).done();
}

constexpr std::uint64_t kMineMax = 100'000;

Answer mine_one(Chain& chain, Params& params) {
  if (params.has(0)) return failure(-32602, "evm_mine takes no timestamp on the development chain");
  chain.mine(1);
  return "\"0x0\"";
}

Answer mine_many(Chain& chain, Params& params) {
  const std::uint64_t blocks = params.number(0, 1);
  FANFARE_PARAMS_OK(params);
  if (blocks > kMineMax) return failure(-32602, "at most " + std::to_string(kMineMax) + " blocks at once");
  chain.mine(blocks);
  return "null";
}

Answer reorg(Chain& chain, Params& params) {
  const std::uint64_t depth = params.number(0);
  FANFARE_PARAMS_OK(params);
  if (depth > kReorgDepthMax || !chain.reorg(static_cast<unsigned>(depth))) {
    return failure(-32602, "reorg depth must be between 1 and " + std::to_string(kReorgDepthMax) +
                               " and not above the height: " + std::to_string(depth));
  }
  return "null";
}

constexpr std::array<Method, 14> kMethods = {{
    {"eth_coinbase", 0, coinbase},
    {"eth_chainId", 0, chain_id},
    {"eth_accounts", 0, accounts},
    {"eth_syncing", 0, syncing},
    {"eth_mining", 0, mining},
    {"net_version", 0, net_version},
    {"net_listening", 0, listening},
    {"net_peerCount", 0, peer_count},
    {"web3_clientVersion", 0, client_version},
    {"web3_sha3", 1, sha3},
    {"rpc_modules", 0, modules},
    {"evm_mine", 1, mine_one},
    {"anvil_mine", 2, mine_many},
    {"anvil_reorg", 2, reorg},
}};

}  // namespace

std::span<const Method> node_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
