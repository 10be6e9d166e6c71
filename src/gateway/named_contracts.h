#pragma once
// The contracts that a call names in its parameters, for roles that grant only some. Execution is not watched: a
// contract that is called may call any other one.
//
//   eth_call, eth_estimateGas, ... (transaction, ...)     `to`; a creation, and overrides of state, concern every contract
//   eth_sendRawTransaction(bytes)                         `to` in the transaction, of every type that has one
//   eth_getCode, eth_getStorageAt, eth_getProof(address)  the address
//   eth_getLogs, eth_newFilter(filter), eth_subscribe("logs", filter)    `address`; without one, every contract
//   eth_subscribe of another type                         what its row says (eth/feeds/feed.h)
//   blocks, transactions and their traces, accounts, fees, the node (kNone)    none
//   everything else                                       every contract: a node may have any method
//
// Nodes read parameters in different ways. Members of the same name, in any case, all count; what cannot be read for
// sure concerns every contract.

#include <string>
#include <string_view>
#include <vector>

namespace fanfare::gateway {

struct NamedContracts {
  std::vector<std::string> addresses;  // lower-case hexadecimal with 0x
  bool every = false;
};

// `params` is raw JSON, as jsonrpc::Request has it.
NamedContracts named_contracts(std::string_view method, std::string_view params);

}  // namespace fanfare::gateway
