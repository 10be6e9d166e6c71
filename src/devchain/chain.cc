#include "devchain/chain.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "devchain/execution.h"
#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

constexpr std::size_t kBots = 10;
constexpr std::uint64_t kGasLimit = 30'000'000;
constexpr Address kMiner = {0xfa, 0x4f, 0xa4, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0x1b, 0xa5};

std::uint64_t unix_seconds(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return seconds > 0 ? static_cast<std::uint64_t>(seconds) : 0;
}

Options checked(Options options) {
  options.block_time = std::max<Duration>(options.block_time, std::chrono::milliseconds(1));
  options.reorg_depth_max = std::clamp(options.reorg_depth_max, 1U, kReorgDepthMax);
  options.sync_speed = std::max(options.sync_speed, 1U);
  options.blocks_per_advance_max = std::max(options.blocks_per_advance_max, 1U);
  options.accounts = std::clamp(options.accounts, 2U, 1000U);
  options.history_blocks = std::max(options.history_blocks, kHistoryMin);
  return options;
}

BlockPtr make_genesis(const Options& options, const std::vector<DevAccount>& accounts,
                      const std::vector<DevAccount>& bots, WallTime start) {
  auto block = std::make_shared<Block>();
  Header& header = block->header;
  header.gas_limit = kGasLimit;
  header.timestamp = unix_seconds(start - options.block_time * options.sync_blocks);
  const std::string_view extra = "fanfare development chain";
  header.extra_data.assign(extra.begin(), extra.end());
  header.mix_hash = keccak(word(Wei{options.seed}));
  header.base_fee_per_gas = kGwei;
  header.blob_gas_used = 0;
  header.excess_blob_gas = 0;
  header.parent_beacon_block_root.emplace();
  block->state = genesis_state();
  endow(*block->state, accounts);
  endow(*block->state, bots);
  seal(*block);
  return block;
}

}  // namespace

std::vector<DevAccount> user_accounts(const Options& options) {
  return make_accounts("fanfare development account", options.seed, checked(options).accounts);
}

Chain::Chain(Options options, WallTime start)
    : options_(checked(options)),
      random_(options_.seed),
      id_random_(~options_.seed),
      accounts_(user_accounts(options_)),
      bots_(make_accounts("fanfare development bot", options_.seed, kBots)),
      traffic_(options_.chain_id, bots_, random_),
      ledger_(make_genesis(options_, accounts_, bots_, start),
              {.blocks = options_.history_blocks,
               .states = std::min(kStatesKept, options_.history_blocks),
               .bytes = options_.history_bytes_max}),
      pool_(options_.pool_transactions_max, options_.pool_bytes_max),
      start_wall_(start) {}

std::uint64_t Chain::behind(std::uint64_t blocks) const {
  return head().number() > blocks ? head().number() - blocks : 0;
}

Duration Chain::interval() const {
  return syncing() ? std::max<Duration>(options_.block_time / options_.sync_speed, Duration(1))
                   : options_.block_time;
}

Chain::Due Chain::due() const {
  if (!next_transactions_.empty() && next_transactions_.back() <= next_block_) {
    return {.at = next_transactions_.back(), .is_block = false};
  }
  return {.at = next_block_, .is_block = true};
}

Instant Chain::next_due() const {
  return started_ ? due().at : Instant::min();
}

// Events happen in the order of their instants, whether one call covers one of them or a thousand. How often
// advance() is called does not affect the chain.
void Chain::advance(Instant now) {
  if (!started_) {
    started_ = true;
    start_ = now_ = now;
    next_block_ = now + interval();
    plan_transactions();
    told_syncing_ = syncing();
    if (told_syncing_ && observer_ != nullptr) observer_->on_syncing(true);
  }
  unsigned blocks = 0;
  for (Due next = due(); next.at <= now && blocks < options_.blocks_per_advance_max; next = due()) {
    now_ = next.at;
    if (!next.is_block) {
      next_transactions_.pop_back();
      make_transaction();
      continue;
    }
    make_block(true);
    ++blocks;
    next_block_ += interval();
    plan_transactions();
  }
  // If stopped early, the time is only as far as the chain.
  if (due().at > now) now_ = std::max(now_, now);
  filters_.drop_idle(now_);
}

// In the first three quarters of the interval, so that each has been pending for a while before its block.
void Chain::plan_transactions() {
  const std::uint64_t count = options_.transactions_per_block_max == 0
                                  ? 0
                                  : random_.below(options_.transactions_per_block_max + 1ULL);
  const Duration length = interval() * 3 / 4;
  next_transactions_.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto offset =
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(length.count()) + 1));
    next_transactions_.push_back(next_block_ - interval() + Duration(offset));
  }
  std::ranges::sort(next_transactions_, std::greater<>());
}

void Chain::make_transaction() {
  const State& state = *head().state;
  const auto transaction = traffic_.next(pool_, state, base_fee());
  const Mempool::Rules rules{
      .chain_id = options_.chain_id, .gas_limit_max = kGasLimit, .base_fee = base_fee()};
  if (pool_.add(transaction, state, rules)) announce_pending(*transaction);
}

std::expected<Hash, std::string> Chain::submit(const TransactionPtr& transaction) {
  if (ledger_.find_transaction(transaction->hash).block != nullptr) return std::unexpected("already known");
  const Mempool::Rules rules{
      .chain_id = options_.chain_id, .gas_limit_max = kGasLimit, .base_fee = base_fee()};
  if (auto added = pool_.add(transaction, *head().state, rules); !added) {
    return std::unexpected(std::move(added.error()));
  }
  announce_pending(*transaction);
  return transaction->hash;
}

void Chain::announce_pending(const Transaction& transaction) {
  filters_.on_pending(transaction);
  if (observer_ != nullptr) observer_->on_pending_transaction(transaction);
}

BlockPtr Chain::template_after(const Block& parent) const {
  auto block = std::make_shared<Block>();
  Header& header = block->header;
  header.parent_hash = parent.hash;
  header.miner = kMiner;
  header.number = parent.number() + 1;
  header.gas_limit = kGasLimit;
  // Blocks made ahead of time still have timestamps a second apart; with shorter block times several share
  // one.
  const std::uint64_t step = options_.block_time >= std::chrono::seconds(1) ? 1 : 0;
  const std::uint64_t due = syncing()
                                ? unix_seconds(start_wall_ - options_.block_time * options_.sync_blocks +
                                               options_.block_time * header.number)
                                : unix_seconds(start_wall_ + (now_ - start_));
  header.timestamp = std::max(parent.header.timestamp + step, due);
  header.extra_data = ledger_.genesis()->header.extra_data;
  header.base_fee_per_gas = next_base_fee(parent.header);
  header.blob_gas_used = 0;
  header.excess_blob_gas = 0;
  header.parent_beacon_block_root = keccak(parent.hash);
  block->state = parent.state;
  return block;
}

// `some_only` leaves some out, together with the sender's later ones: this makes a new branch differ.
void Chain::fill(Block& block, bool some_only) {
  for (const auto& transaction : pool_.split(*block.state).pending) {
    if (some_only && random_.below(3) == 0) continue;
    if (applicable(block, *transaction)) apply(block, transaction);
  }
}

void Chain::finish(const BlockPtr& block) {
  random_.fill(block->header.mix_hash);
  seal(*block);
}

void Chain::adopt(const BlockPtr& block) {
  ledger_.append(block);
  pool_.drop_stale(*block->state);
  const bool has_logs = std::ranges::any_of(block->receipts, [](const auto& r) { return !r.logs.empty(); });
  if (has_logs) {
    filters_.on_logs(*block, false);
    if (observer_ != nullptr) observer_->on_logs(*block, false);
  }
  filters_.on_block(*block);
  if (observer_ != nullptr) observer_->on_block(*block);
  if (told_syncing_ && !syncing()) {
    told_syncing_ = false;
    if (observer_ != nullptr) observer_->on_syncing(false);
  }
}

void Chain::make_block(bool scheduled) {
  const std::uint64_t number = head().number() + 1;
  const unsigned every = options_.reorg_every_blocks;
  unsigned depth = 0;
  if (scheduled && every != 0 && number % every == 0 && !syncing()) {
    depth = 1 + static_cast<unsigned>(random_.below(options_.reorg_depth_max));
    // Young chains have little to undo, and two reorgs do not overlap: the common ancestor stays.
    depth = static_cast<unsigned>(std::min<std::uint64_t>({depth, head().number(), every}));
  }
  if (depth != 0) undo(depth);
  for (unsigned i = 0; i <= depth; ++i) {
    const BlockPtr block = template_after(head());
    fill(*block, depth != 0);
    finish(block);
    adopt(block);
  }
}

void Chain::undo(unsigned depth) {
  const std::uint64_t ancestor = head().number() - depth;
  std::vector<BlockPtr> abandoned;
  for (unsigned i = 0; i < depth; ++i) {
    abandoned.push_back(ledger_.pop());
    filters_.on_logs(*abandoned.back(), true);
  }
  if (observer_ != nullptr) {
    for (const auto& block : abandoned) {
      if (block->header.logs_bloom != Bloom{}) observer_->on_logs(*block, true);
    }
    observer_->on_reorg(ancestor, depth);
  }
  for (const auto& block : abandoned | std::views::reverse) {
    for (const auto& transaction : block->transactions) pool_.restore(transaction);
  }
}

void Chain::mine(std::uint64_t blocks) {
  for (std::uint64_t i = 0; i < blocks; ++i) make_block(false);
}

bool Chain::reorg(unsigned depth) {
  if (depth == 0 || depth > kReorgDepthMax || depth > head().number()) return false;
  undo(depth);
  for (unsigned i = 0; i < depth; ++i) {
    const BlockPtr block = template_after(head());
    fill(*block, true);
    finish(block);
    adopt(block);
  }
  return true;
}

BlockPtr Chain::pending_block() const {
  BlockPtr block = template_after(head());
  for (const auto& transaction : pool_.split(*block->state).pending) {
    if (applicable(*block, *transaction)) apply(*block, transaction);
  }
  seal(*block);
  return block;
}

}  // namespace fanfare::devchain
