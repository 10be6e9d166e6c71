#pragma once
// The JSON-RPC methods, one function each, grouped by what they are about.

#include <expected>
#include <span>
#include <string>

#include "devchain/chain.h"
#include "devchain/params.h"

namespace fanfare::devchain {

using Answer = std::expected<std::string, CallError>;

struct Method {
  std::string_view name;
  std::size_t params_max;
  Answer (*run)(Chain&, Params&);
};

std::span<const Method> block_methods();
std::span<const Method> transaction_methods();
std::span<const Method> state_methods();
std::span<const Method> fee_methods();
std::span<const Method> log_methods();
std::span<const Method> node_methods();
std::span<const Method> dev_methods();

inline std::unexpected<CallError> failure(int code, std::string message, std::string data_json = {}) {
  return std::unexpected(
      CallError{.code = code, .message = std::move(message), .data_json = std::move(data_json)});
}

// The block meant, null if it is not there. `pending` is sealed on the spot.
BlockPtr find_block(const Chain& chain, const BlockReference& reference);
// A block whose state is still kept, or the error to answer.
std::expected<BlockPtr, CallError> find_state(const Chain& chain, const BlockReference& reference);

// Ends the method with the first bad parameter.
#define FANFARE_PARAMS_OK(params) \
  if ((params).error()) return std::unexpected(*(params).error())

}  // namespace fanfare::devchain
