#include <array>

#include "devchain/execution.h"
#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

Answer balance(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  return json_string(quantity((*block)->state->account(address).balance));
}

Answer nonce(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  if (reference.kind == BlockReference::Kind::pending) {
    return json_string(quantity(chain.pool().next_nonce(address, *chain.head().state)));
  }
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  return json_string(quantity((*block)->state->account(address).nonce));
}

Answer code(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  return json_string(hex((*block)->state->code(address)));
}

Answer storage_at(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const Hash slot = params.slot(1);
  const BlockReference reference = params.block_or_latest(2);
  FANFARE_PARAMS_OK(params);
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  return json_string(hex((*block)->state->storage(address, slot)));
}

std::string render_proof(const std::vector<Blob>& nodes) {
  std::vector<std::string> rendered;
  rendered.reserve(nodes.size());
  for (const Blob& node : nodes) rendered.push_back(json_string(hex(node)));
  return json_array(rendered);
}

Answer proof(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const std::vector<Hash> slots = params.slots(1);
  const BlockReference reference = params.block_or_latest(2);
  FANFARE_PARAMS_OK(params);
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  const State& state = *(*block)->state;
  std::vector<std::string> storage;
  for (const Hash& slot : slots) {
    JsonObject json;
    json.bytes("key", slot)
        .text("value", quantity(state.storage(address, slot)))
        .raw("proof", render_proof(state.storage_proof(address, slot)));
    storage.push_back(std::move(json).done());
  }
  const Account account = state.account(address);
  JsonObject json;
  json.bytes("address", address)
      .raw("accountProof", render_proof(state.account_proof(address)))
      .number("balance", account.balance)
      .bytes("codeHash", state.code_hash(address))
      .number("nonce", account.nonce)
      .bytes("storageHash", state.storage_root(address))
      .raw("storageProof", json_array(storage));
  return std::move(json).done();
}

// The Error(string) of a revert as readable text; empty for other data.
std::string revert_reason(Bytes output) {
  if (output.size() < 68) return {};
  const Wei size = number_of(output.subspan(36, 32));
  if (size > output.size() - 68) return {};
  return std::string(as_text(output.subspan(68, static_cast<std::size_t>(size))));
}

struct Ran {
  CallResult result;
  std::uint64_t gas = 0;
};

// Runs a request on a copy of a block's state; a failure is already an answer.
std::expected<Ran, CallError> run(Chain& chain, const CallRequest& request, const BlockReference& reference) {
  const auto block = find_state(chain, reference);
  if (!block) return std::unexpected(block.error());
  if (!request.to) return failure(-32000, kNoCreation);
  State scratch = *(*block)->state;
  const Address from = request.from.value_or(Address{});
  const Wei value = request.value.value_or(0);
  if (scratch.account(from).balance < value) {
    return failure(-32000, "insufficient funds for gas * price + value: address " + hex(from) + " have " +
                               decimal(scratch.account(from).balance) + " want " + decimal(value));
  }
  Ran ran{.result = execute_call(scratch, from, *request.to, value, request.data)};
  if (!ran.result.succeeded) {
    const std::string reason = revert_reason(ran.result.output);
    return failure(3, reason.empty() ? "execution reverted" : "execution reverted: " + reason,
                   json_string(hex(ran.result.output)));
  }
  ran.gas = gas_of({.to = request.to, .data = request.data}, ran.result);
  return ran;
}

Answer call(Chain& chain, Params& params) {
  const CallRequest request = params.call(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  if (params.has(2) || params.has(3)) {
    return failure(-32602, std::string("state and block overrides are not supported: ") + kNoEvm);
  }
  const auto ran = run(chain, request, reference);
  if (!ran) return std::unexpected(ran.error());
  return json_string(hex(ran->result.output));
}

Answer estimate_gas(Chain& chain, Params& params) {
  const CallRequest request = params.call(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  const auto ran = run(chain, request, reference);
  if (!ran) return std::unexpected(ran.error());
  return json_string(quantity(ran->gas));
}

// No call here benefits from an access list: it only lists what the call would use.
Answer create_access_list(Chain& chain, Params& params) {
  const CallRequest request = params.call(0);
  const BlockReference reference = params.block_or_latest(1);
  FANFARE_PARAMS_OK(params);
  const auto ran = run(chain, request, reference);
  if (!ran) return std::unexpected(ran.error());
  JsonObject json;
  json.raw("accessList", "[]").number("gasUsed", ran->gas);
  return std::move(json).done();
}

Answer no_evm(Chain&, Params&) {
  return failure(-32601, kNoEvm);
}

constexpr std::array<Method, 15> kMethods = {{
    {"eth_createAccessList", 2, create_access_list},
    {"eth_simulateV1", 2, no_evm},
    {"debug_traceTransaction", 2, no_evm},
    {"debug_traceCall", 3, no_evm},
    {"debug_traceBlockByNumber", 2, no_evm},
    {"debug_traceBlockByHash", 2, no_evm},
    {"trace_transaction", 1, no_evm},
    {"trace_block", 1, no_evm},
    {"eth_getBalance", 2, balance},
    {"eth_getTransactionCount", 2, nonce},
    {"eth_getCode", 2, code},
    {"eth_getStorageAt", 3, storage_at},
    {"eth_getProof", 3, proof},
    {"eth_call", 4, call},
    {"eth_estimateGas", 3, estimate_gas},
}};

}  // namespace

std::span<const Method> state_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
