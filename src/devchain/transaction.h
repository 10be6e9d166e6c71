#pragma once
// Signed transactions: legacy with replay protection (EIP-155), access list (EIP-2930), dynamic fee
// (EIP-1559).
//
//   legacy   rlp([nonce, gasPrice, gas, to, value, data, v, r, s])
//   0x01 ||  rlp([chainId, nonce, gasPrice, gas, to, value, data, accessList, parity, r, s])
//   0x02 ||  rlp([chainId, nonce, maxPriorityFee, maxFee, gas, to, value, data, accessList, parity, r, s])

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "devchain/signer.h"
#include "devchain/types.h"

namespace fanfare::devchain {

enum class TransactionType : std::uint8_t { legacy = 0, access_list = 1, dynamic_fee = 2 };

// The fields that the author chooses.
struct TransactionBody {
  TransactionType type = TransactionType::dynamic_fee;
  std::uint64_t chain_id = 0;
  std::uint64_t nonce = 0;
  Wei priority_fee_max = 0;  // legacy and access list: the gas price, as fee_max
  Wei fee_max = 0;
  std::uint64_t gas_limit = 21'000;
  std::optional<Address> to;  // none: creates a contract
  Wei value = 0;
  Blob data;
  Blob access_list;  // the encoded items of the list
};

struct Transaction : TransactionBody {
  Signature signature;
  Address from{};
  Hash hash{};
  Blob raw;  // as sent and as hashed

  // The price of one gas for the sender under this base fee. fee_max must not be below it.
  Wei effective_gas_price(Wei base_fee) const;
};
using TransactionPtr = std::shared_ptr<const Transaction>;

TransactionPtr sign_transaction(TransactionBody body, const Hash& key);
// The same if the key's address is already known, at half the cost.
TransactionPtr sign_transaction(TransactionBody body, const Hash& key, const Address& from);

// Decodes, checks the signature and recovers the sender. The error is geth's text if geth has one.
std::expected<TransactionPtr, std::string> decode_transaction(Bytes raw);

// The gas of a transaction before any code runs: base, calldata, access list.
std::uint64_t intrinsic_gas(const TransactionBody& body);

struct AccessListEntry {
  Address address{};
  std::vector<Hash> keys;
};
// Empty if the encoded items are not an access list.
std::optional<std::vector<AccessListEntry>> parse_access_list(Bytes items);

}  // namespace fanfare::devchain
