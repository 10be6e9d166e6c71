#include "devchain/state.h"

#include <algorithm>

#include "base/check.h"
#include "devchain/keccak.h"
#include "devchain/rlp.h"

namespace fanfare::devchain {

// A leaf is rlp([nonce, balance, storageRoot, codeHash]).
Account State::account(const Address& address) const {
  const auto leaf = accounts_.get(keccak(address));
  if (!leaf) return {};
  Bytes rest = *leaf;
  const auto list = rlp::take(rest);
  FANFARE_CHECK(list.has_value());
  const auto fields = rlp::items(list->payload, 4);
  FANFARE_CHECK(fields && fields->size() == 4);
  return {.nonce = rlp::number_u64((*fields)[0]).value_or(0),
          .balance = rlp::number((*fields)[1]).value_or(0)};
}

void State::set_account(const Address& address, const Account& account) {
  write_leaf(address, account);
}

void State::write_leaf(const Address& address, const Account& account) {
  Blob fields;
  rlp::append_number(fields, account.nonce);
  rlp::append_number(fields, account.balance);
  rlp::append_bytes(fields, storage_root(address));
  rlp::append_bytes(fields, code_hash(address));
  accounts_.put(keccak(address), rlp::list(fields));
}

void State::deploy(const Address& address, Bytes code) {
  Contract& contract = contracts_[address];
  contract.code = code;
  contract.code_hash = keccak(code);
  write_leaf(address, {.nonce = 1});
}

Bytes State::code(const Address& address) const {
  const auto found = contracts_.find(address);
  return found == contracts_.end() ? Bytes{} : found->second.code;
}

Hash State::storage(const Address& address, const Hash& slot) const {
  Hash value{};
  const auto found = contracts_.find(address);
  if (found == contracts_.end()) return value;
  const auto leaf = found->second.storage.get(keccak(slot));
  if (!leaf) return value;
  Bytes rest = *leaf;
  const auto item = rlp::take(rest);
  FANFARE_CHECK(item && item->payload.size() <= value.size());
  std::ranges::copy(item->payload, value.end() - static_cast<std::ptrdiff_t>(item->payload.size()));
  return value;
}

void State::set_storage(const Address& address, const Hash& slot, const Hash& value) {
  Contract& contract = contracts_.at(address);
  Bytes digits(value);
  while (!digits.empty() && digits.front() == 0) digits = digits.subspan(1);
  Blob encoded;
  if (!digits.empty()) rlp::append_bytes(encoded, digits);
  contract.storage.put(keccak(slot), encoded);
  contract.dirty = true;
}

Hash State::root() {
  for (auto& [address, contract] : contracts_) {
    if (!contract.dirty) continue;
    contract.dirty = false;
    write_leaf(address, account(address));
  }
  return accounts_.root();
}

Hash State::storage_root(const Address& address) const {
  const auto found = contracts_.find(address);
  return found == contracts_.end() ? kEmptyRoot : found->second.storage.root();
}

Hash State::code_hash(const Address& address) const {
  static const Hash kNoCode = keccak({});
  const auto found = contracts_.find(address);
  return found == contracts_.end() ? kNoCode : found->second.code_hash;
}

std::vector<Blob> State::account_proof(const Address& address) const {
  return accounts_.proof(keccak(address));
}

std::vector<Blob> State::storage_proof(const Address& address, const Hash& slot) const {
  const auto found = contracts_.find(address);
  if (found == contracts_.end()) return {};
  return found->second.storage.proof(keccak(slot));
}

}  // namespace fanfare::devchain
