#include "devchain/mempool.h"

#include <algorithm>

namespace fanfare::devchain {
namespace {

// Above this a fee times a gas limit would overflow; no account here owns that much.
constexpr Wei kFeeMax = static_cast<Wei>(1) << 60;
constexpr Wei kValueMax = static_cast<Wei>(1) << 126;

std::expected<void, std::string> check(const Transaction& transaction, const Account& sender,
                                       const Mempool::Rules& rules) {
  const auto text = [](auto value) { return decimal(static_cast<Wei>(value)); };
  if (transaction.raw.size() > Mempool::kTransactionBytesMax) {
    return std::unexpected("oversized data: transaction size " + text(transaction.raw.size()) + ", limit " +
                           text(Mempool::kTransactionBytesMax));
  }
  if (transaction.chain_id != rules.chain_id) {
    return std::unexpected("invalid chain id for signer: have " + text(transaction.chain_id) + " want " +
                           text(rules.chain_id));
  }
  if (!transaction.to) return std::unexpected(kNoCreation);
  if (transaction.gas_limit > rules.gas_limit_max) return std::unexpected("exceeds block gas limit");
  if (transaction.priority_fee_max > transaction.fee_max) {
    return std::unexpected("max priority fee per gas higher than max fee per gas");
  }
  if (const std::uint64_t needed = intrinsic_gas(transaction); transaction.gas_limit < needed) {
    return std::unexpected("intrinsic gas too low: gas " + text(transaction.gas_limit) + ", minimum needed " +
                           text(needed));
  }
  if (transaction.nonce < sender.nonce) {
    return std::unexpected("nonce too low: next nonce " + text(sender.nonce) + ", tx nonce " +
                           text(transaction.nonce));
  }
  if (transaction.fee_max > kFeeMax || transaction.value > kValueMax ||
      sender.balance < transaction.value + transaction.fee_max * transaction.gas_limit) {
    return std::unexpected("insufficient funds for gas * price + value: balance " + text(sender.balance));
  }
  if (transaction.fee_max < rules.base_fee) {
    return std::unexpected("max fee per gas less than block base fee: maxFeePerGas: " +
                           text(transaction.fee_max) + ", baseFee: " + text(rules.base_fee));
  }
  return {};
}

}  // namespace

std::expected<void, std::string> Mempool::add(const TransactionPtr& transaction, const State& state,
                                              const Rules& rules) {
  if (by_hash_.contains(transaction->hash)) return std::unexpected("already known");
  if (auto checked = check(*transaction, state.account(transaction->from), rules); !checked) return checked;
  auto& nonces = by_sender_[transaction->from];
  const auto same = nonces.find(transaction->nonce);
  if (same != nonces.end()) {
    const Transaction& old = *same->second.transaction;
    if (transaction->fee_max * 10 < old.fee_max * 11 ||
        transaction->priority_fee_max * 10 < old.priority_fee_max * 11) {
      return std::unexpected("replacement transaction underpriced");
    }
    forget(old);
  } else if (by_hash_.size() >= transactions_max_ || bytes_ + transaction->raw.size() > bytes_max_) {
    if (nonces.empty()) by_sender_.erase(transaction->from);
    return std::unexpected("txpool is full");
  }
  remember(transaction);
  nonces[transaction->nonce] = {.transaction = transaction, .arrival = arrivals_++};
  return {};
}

void Mempool::forget(const Transaction& transaction) {
  bytes_ -= transaction.raw.size();
  by_hash_.erase(transaction.hash);
}

void Mempool::remember(const TransactionPtr& transaction) {
  bytes_ += transaction->raw.size();
  by_hash_.emplace(transaction->hash, transaction);
}

void Mempool::restore(const TransactionPtr& transaction) {
  if (by_hash_.size() >= transactions_max_ || bytes_ + transaction->raw.size() > bytes_max_) return;
  auto& nonces = by_sender_[transaction->from];
  const auto [at, fresh] =
      nonces.try_emplace(transaction->nonce, Waiting{.transaction = transaction, .arrival = arrivals_});
  if (!fresh) return;
  ++arrivals_;
  remember(transaction);
}

void Mempool::drop_stale(const State& state) {
  for (auto sender = by_sender_.begin(); sender != by_sender_.end();) {
    auto& nonces = sender->second;
    const std::uint64_t next = state.account(sender->first).nonce;
    while (!nonces.empty() && nonces.begin()->first < next) {
      forget(*nonces.begin()->second.transaction);
      nonces.erase(nonces.begin());
    }
    sender = nonces.empty() ? by_sender_.erase(sender) : std::next(sender);
  }
}

TransactionPtr Mempool::find(const Hash& hash) const {
  const auto found = by_hash_.find(hash);
  return found == by_hash_.end() ? nullptr : found->second;
}

std::uint64_t Mempool::next_nonce(const Address& sender, const State& state) const {
  std::uint64_t next = state.account(sender).nonce;
  const auto found = by_sender_.find(sender);
  if (found == by_sender_.end()) return next;
  while (found->second.contains(next)) ++next;
  return next;
}

Mempool::Split Mempool::split(const State& state) const {
  struct Entry {
    std::uint64_t arrival;
    TransactionPtr transaction;
  };
  std::vector<Entry> pending;
  std::vector<Entry> queued;
  for (const auto& [sender, nonces] : by_sender_) {
    std::uint64_t next = state.account(sender).nonce;
    std::uint64_t latest = 0;
    for (const auto& [nonce, waiting] : nonces) {
      // A later nonce cannot precede an earlier one, even if that one was replaced since.
      latest = std::max(latest, waiting.arrival);
      const bool follows = nonce == next;
      if (follows) ++next;
      (follows ? pending : queued).push_back({.arrival = latest, .transaction = waiting.transaction});
    }
  }
  Split result;
  for (auto [from, to] : {std::pair{&pending, &result.pending}, std::pair{&queued, &result.queued}}) {
    // Only transactions of one sender can share an arrival.
    std::ranges::sort(*from, {},
                      [](const Entry& entry) { return std::pair(entry.arrival, entry.transaction->nonce); });
    for (Entry& entry : *from) to->push_back(std::move(entry.transaction));
  }
  return result;
}

}  // namespace fanfare::devchain
