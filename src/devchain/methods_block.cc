#include <algorithm>
#include <array>
#include <utility>

#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {

BlockPtr find_block(const Chain& chain, const BlockReference& reference) {
  using Kind = BlockReference::Kind;
  const Ledger& ledger = chain.ledger();
  switch (reference.kind) {
    case Kind::latest:
      return ledger.head();
    case Kind::earliest:
      return ledger.genesis();
    case Kind::pending:
      return chain.pending_block();
    case Kind::safe:
      return ledger.by_number(chain.safe_number());
    case Kind::finalized:
      return ledger.by_number(chain.finalized_number());
    case Kind::number:
      return ledger.by_number(reference.number);
    case Kind::hash: {
      BlockPtr block = ledger.by_hash(reference.hash);
      if (block != nullptr && reference.require_canonical && !ledger.is_canonical(*block)) return nullptr;
      return block;
    }
  }
  std::unreachable();
}

std::expected<BlockPtr, CallError> find_state(const Chain& chain, const BlockReference& reference) {
  BlockPtr block = find_block(chain, reference);
  if (block == nullptr) return failure(-32000, "header not found");
  if (!block->state) {
    return failure(-32000,
                   "historical state " + hex(block->header.state_root).substr(2) + " is not available");
  }
  return block;
}

namespace {

Answer block_number(Chain& chain, Params&) {
  return json_string(quantity(chain.head().number()));
}

// The first parameter of the ...ByNumber and of the ...ByHash methods.
BlockReference by_number(Params& params) {
  return params.block_number(0);
}
BlockReference by_hash(Params& params) {
  return {.kind = BlockReference::Kind::hash, .hash = params.hash(0)};
}
using Which = BlockReference (*)(Params&);

template <Which which>
Answer get_block(Chain& chain, Params& params) {
  const BlockReference reference = which(params);
  const bool full = params.boolean(1, false);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  if (block == nullptr) return "null";
  return render_block(*block, full, reference.kind == BlockReference::Kind::pending);
}

template <Which which>
Answer transaction_count(Chain& chain, Params& params) {
  const BlockReference reference = which(params);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  return block == nullptr ? "null" : json_string(quantity(block->transactions.size()));
}

template <Which which>
Answer uncle_count(Chain& chain, Params& params) {
  const BlockReference reference = which(params);
  FANFARE_PARAMS_OK(params);
  return find_block(chain, reference) == nullptr ? "null" : "\"0x0\"";
}

template <Which which>
Answer no_uncle(Chain& /*chain*/, Params& params) {
  which(params);
  params.number(1);
  FANFARE_PARAMS_OK(params);
  return "null";
}

Answer block_receipts(Chain& chain, Params& params) {
  const BlockReference reference = params.block(0);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  if (block == nullptr) return "null";
  std::vector<std::string> receipts;
  for (std::size_t i = 0; i < block->receipts.size(); ++i) receipts.push_back(render_receipt(*block, i));
  return json_array(receipts);
}

template <Which which>
Answer get_header(Chain& chain, Params& params) {
  const BlockReference reference = which(params);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  return block == nullptr ? "null" : render_header(*block);
}

template <auto encode>
Answer raw_of_block(Chain& chain, Params& params) {
  const BlockReference reference = params.block(0);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  if (block == nullptr) return failure(-32000, "block not found");
  return encode(*block);
}

std::string raw_header(const Block& block) {
  return json_string(hex(block.header.encode()));
}
std::string raw_block(const Block& block) {
  return json_string(hex(encode_block(block)));
}
std::string raw_receipts(const Block& block) {
  std::vector<std::string> receipts;
  for (const Receipt& receipt : block.receipts) receipts.push_back(json_string(hex(receipt.encode())));
  return json_array(receipts);
}

constexpr std::array<Method, 15> kMethods = {{
    {"eth_getHeaderByNumber", 1, get_header<by_number>},
    {"eth_getHeaderByHash", 1, get_header<by_hash>},
    {"debug_getRawHeader", 1, raw_of_block<raw_header>},
    {"debug_getRawBlock", 1, raw_of_block<raw_block>},
    {"debug_getRawReceipts", 1, raw_of_block<raw_receipts>},
    {"eth_blockNumber", 0, block_number},
    {"eth_getBlockByNumber", 2, get_block<by_number>},
    {"eth_getBlockByHash", 2, get_block<by_hash>},
    {"eth_getBlockTransactionCountByNumber", 1, transaction_count<by_number>},
    {"eth_getBlockTransactionCountByHash", 1, transaction_count<by_hash>},
    {"eth_getUncleCountByBlockNumber", 1, uncle_count<by_number>},
    {"eth_getUncleCountByBlockHash", 1, uncle_count<by_hash>},
    {"eth_getUncleByBlockNumberAndIndex", 2, no_uncle<by_number>},
    {"eth_getUncleByBlockHashAndIndex", 2, no_uncle<by_hash>},
    {"eth_getBlockReceipts", 1, block_receipts},
}};

}  // namespace

std::span<const Method> block_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
