#pragma once
// The core of a development chain: its state, the time of the next event, adding and removing blocks.
// DevChain adds the JSON-RPC methods. One thread.

#include "devchain/filters.h"
#include "devchain/ledger.h"
#include "devchain/options.h"
#include "devchain/traffic.h"

namespace fanfare::devchain {

// The accounts with ether for users; options out of range are clamped.
std::vector<DevAccount> user_accounts(const Options& options);

class Chain {
 public:
  Chain(Options options, WallTime start);
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  void advance(Instant now);
  Instant next_due() const;
  void mine(std::uint64_t blocks);
  // Replaces the last `depth` blocks by as many others. False if so many cannot be undone.
  bool reorg(unsigned depth);
  // The transaction's hash, or geth's text for the error.
  std::expected<Hash, std::string> submit(const TransactionPtr& transaction);

  void set_observer(Observer* observer) { observer_ = observer; }

  const Options& options() const { return options_; }
  const Ledger& ledger() const { return ledger_; }
  const Mempool& pool() const { return pool_; }
  Filters& filters() { return filters_; }
  Random& id_random() { return id_random_; }
  Instant now() const { return now_; }
  const std::vector<DevAccount>& accounts() const { return accounts_; }

  const Block& head() const { return *ledger_.head(); }
  std::uint64_t safe_number() const { return behind(32); }
  std::uint64_t finalized_number() const { return behind(64); }
  bool syncing() const { return head().number() < options_.sync_blocks; }
  // The block that would be mined now, sealed.
  BlockPtr pending_block() const;
  Wei base_fee() const { return next_base_fee(head().header); }

 private:
  struct Due {
    Instant at;
    bool is_block;
  };

  Due due() const;
  std::uint64_t behind(std::uint64_t blocks) const;
  Duration interval() const;
  void plan_transactions();
  void make_transaction();
  void make_block(bool scheduled);
  void undo(unsigned depth);
  BlockPtr template_after(const Block& parent) const;
  void finish(const BlockPtr& block);
  void fill(Block& block, bool some_only);
  void adopt(const BlockPtr& block);
  void announce_pending(const Transaction& transaction);

  Options options_;
  SeededRandom random_;               // for the chain's own events
  SeededRandom id_random_;            // for callers' requests, which must not change the chain's own events
  std::vector<DevAccount> accounts_;  // for the users
  std::vector<DevAccount> bots_;
  Traffic traffic_;
  Ledger ledger_;
  Mempool pool_;
  Filters filters_;
  Observer* observer_ = nullptr;

  bool started_ = false;
  bool told_syncing_ = false;
  Instant start_{};
  Instant now_{};
  Instant next_block_{};
  std::vector<Instant> next_transactions_;  // the latest first
  WallTime start_wall_;
};

}  // namespace fanfare::devchain
