#include "eth/history.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {

std::string_view name_of(MissedBecause reason) {
  switch (reason) {
    case MissedBecause::window:
      return "window";
    case MissedBecause::unknown_block:
      return "unknownBlock";
    case MissedBecause::unavailable:
      return "unavailable";
    case MissedBecause::slow:
      return "slow";
  }
  return "";
}

History::History(const HistoryOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options), call_ids_(call_ids), random_(random) {
  FANFARE_CHECK(options.window_blocks > 0 && options.batch_blocks_max > 0 && options.calls_in_flight_max > 0);
}

// --- the announced chain ---------------------------------------------------------------------------

void History::on_event(ChainEvent& event) {
  struct {
    History& self;
    void operator()(const Baseline& baseline) {
      const Header& header = *baseline.header;
      while (!self.chain_.empty() && self.tip() > header.number) self.take_back_tip();
      if (self.chain_.empty() || self.chain_.back().header->hash != header.hash) {
        self.push(baseline.header, nullptr);
      }
      self.receipts_next_ = header.number + 1;  // a baseline is never announced, so it needs no receipts
    }
    void operator()(const BlockAdded& added) { self.push(added.header, added.logs); }
    void operator()(const BlockLogsLate& late) {
      if (Block* block = self.find_block(late.header->hash)) block->logs = late.logs;
    }
    void operator()(BlockRemoved& removed) {
      if (!self.chain_.empty() && self.chain_.back().header->hash == removed.header->hash) {
        if (removed.logs == nullptr) removed.logs = self.chain_.back().logs;
        self.take_back_tip();
      }
      self.remember_branch({.header = removed.header, .logs = removed.logs});
    }
    void operator()(const Gap&) { self.chain_.clear(); }
    void operator()(const LogsMissing&) {}
    void operator()(const Reorg&) {}  // the removed blocks follow
  } visitor{*this};
  std::visit(visitor, event);
}

// Announced blocks that do not lead to this block are no longer part of the chain.
void History::push(const HeaderPtr& header, const BlockLogsPtr& logs) {
  while (!chain_.empty() && chain_.back().header->hash != header->parent_hash) take_back_tip();
  if (chain_.empty()) receipts_next_ = header->number;
  chain_.push_back(with_what_is_known({.header = header, .logs = logs}));
  // A position at the end of the window names ancestors that may be requested too.
  const std::size_t most = std::size_t{options_.window_blocks} + 1 + Position::kAncestorsMax;
  while (chain_.size() > most) chain_.pop_front();
}

// A block that was removed and is part of the chain again: data fetched for it before is still valid.
History::Block History::with_what_is_known(Block block) {
  const auto gone = branches_.extract(block.header->hash);
  if (gone.empty()) return block;
  std::erase(branches_by_age_, gone.key());
  if (block.logs == nullptr) block.logs = gone.mapped().logs;
  block.receipts = gone.mapped().receipts;
  return block;
}

void History::take_back_tip() {
  receipts_next_ = std::min(receipts_next_, tip());
  remember_branch(std::move(chain_.back()));
  chain_.pop_back();
}

void History::remember_branch(Block block) {
  const Hash256 hash = block.header->hash;
  const auto [place, is_new] = branches_.try_emplace(hash, block);
  if (!is_new) {
    if (block.logs != nullptr) place->second.logs = std::move(block.logs);
    return;
  }
  branches_by_age_.push_back(hash);
  if (branches_by_age_.size() <= options_.branch_blocks_max) return;
  branches_.erase(branches_by_age_.front());
  branches_by_age_.pop_front();
}

History::Block* History::find_block(const Hash256& hash) {
  const auto branch = branches_.find(hash);
  if (branch != branches_.end()) return &branch->second;
  const auto block = std::ranges::find_if(chain_, [&](const Block& one) { return one.header->hash == hash; });
  return block == chain_.end() ? nullptr : &*block;
}

void History::set_view_state(bool logs_are_late, bool bloom_trusted) {
  logs_are_late_ = logs_are_late;
  bloom_trusted_ = bloom_trusted;
}

bool History::on_chain(std::uint64_t number, const Hash256& hash) const {
  return !chain_.empty() && number >= first() && number <= tip() && at(number).header->hash == hash;
}

Position History::position_at(std::uint64_t number) const {
  Trail trail;
  const std::uint64_t behind = std::min<std::uint64_t>(number - first(), Position::kAncestorsMax);
  for (std::uint64_t i = number - behind; i <= number; ++i) trail.move_to(*at(i).header);
  return trail.position(Position::kAll);
}

// --- jobs ------------------------------------------------------------------------------------------

History::JobId History::resume(const Position& from, const HistoryNeeds& needs, Instant now) {
  jobs_.push_back(
      {.id = ++last_job_, .from = from, .needs = needs, .give_up_waiting = now + options_.ahead_wait});
  return last_job_;
}

void History::pump(Instant now) {
  status_.receipts_late = receipts_late();
  if (jobs_.empty() && fetches_.empty() && !receipts_wanted_) return;
  ++pumps_;
  reached_for_.reset();
  std::erase_if(given_up_, [now](const auto& one) { return one.second <= now; });
  tell_receipts(now);
  std::erase_if(jobs_, [&](Job& job) {
    job.waits_for_head = !chain_.empty() && must_wait_for_head(job, now);
    auto batch = advance(job, now);
    if (!batch) return false;
    batch->from = job.from;
    const auto says_missing = [](const HistoryEvent& event) {
      return event.kind == HistoryEvent::Kind::missed || event.kind == HistoryEvent::Kind::reorged;
    };
    if (std::ranges::any_of(batch->events, says_missing)) ++status_.missed;
    answers_.push_back({.job = job.id, .batch = std::make_shared<const HistoryBatch>(std::move(*batch))});
    return true;
  });
  // Blocks that no job waits for any more are not requested again.
  std::erase_if(fetches_, [this](const auto& one) {
    return one.second.call_id == 0 && one.second.wanted_in != pumps_;
  });
  if (jobs_.empty()) older_.clear();
  status_.jobs = jobs_.size();
  status_.receipts_late = receipts_late();
}

// --- receipts for live subscribers -----------------------------------------------------------------

void History::want_receipts_after(const std::optional<BlockId>& after) {
  if (!std::exchange(receipts_wanted_, true)) receipts_next_ = chain_.empty() ? 0 : tip() + 1;
  receipts_next_ = std::min(receipts_next_, first_after(after));
}

// A reader at an unknown block may have left the chain at any earlier block.
std::uint64_t History::first_after(const std::optional<BlockId>& after) const {
  if (chain_.empty()) return 0;  // the chain begins with the next announced block
  if (!after) return first();
  BlockId at = *after;
  while (!on_chain(at.number, at.hash)) {
    const auto gone = branches_.find(at.hash);
    if (at.number <= first() || gone == branches_.end()) return first();
    at = {.number = at.number - 1, .hash = gone->second.header->parent_hash};
  }
  return at.number + 1;
}

// Reports receipts in block order; requests all missing ones at once.
void History::tell_receipts(Instant now) {
  if (!receipts_wanted_ || chain_.empty()) return;
  receipts_next_ = std::max(receipts_next_, first());
  for (std::uint64_t number = receipts_next_; number <= tip(); ++number) {
    const Block& block = at(number);
    const FetchKey key{.what = FetchKey::What::receipts, .hash = block.header->hash};
    const Have have = block.receipts ? Have::yes : want(key, options_.attempts_max, now);
    if (have == Have::not_yet || number != receipts_next_) continue;
    ++receipts_next_;
    if (have == Have::yes) {
      receipts_events_.emplace_back(ReceiptsKnown{.header = block.header, .receipts = block.receipts});
    } else {
      receipts_events_.emplace_back(ReceiptsMissing{.header = block.header});
    }
  }
}

std::uint64_t History::receipts_late() const {
  return receipts_wanted_ && !chain_.empty() && receipts_next_ <= tip() ? tip() + 1 - receipts_next_ : 0;
}

// --- one job ---------------------------------------------------------------------------------------

// Empty: data is still missing. Evaluates everything again at each call, so that changes of the chain between
// two calls do not matter.
std::optional<HistoryBatch> History::advance(const Job& job, Instant now) {
  const Position& from = job.from;
  if (chain_.empty() || job.waits_for_head) return std::nullopt;
  if (options_.waits_ahead && may_be_ahead(from)) {
    return HistoryBatch{.from = {}, .events = {}, .reached = from, .live = false};
  }
  if (from.number + options_.window_blocks < tip()) {
    return skip_to_tip(from.number, MissedBecause::window);
  }
  if (from.number <= tip()) {
    switch (reach_down(from.number, now)) {
      case Have::not_yet:
        return std::nullopt;
      case Have::never:
        return skip_to_tip(from.number, MissedBecause::unavailable);
      case Have::yes:
        break;
    }
  }
  HistoryBatch batch;
  std::uint64_t last_told = from.number;
  if (!on_chain(from.number, from.hash)) {
    const Have have =
        job.needs.logs ? append_removed(job, last_told, batch, now) : find_fork(from, last_told, now);
    if (have == Have::not_yet) return std::nullopt;
    if (have == Have::never) {
      const std::uint64_t lowest = from.number - std::min<std::uint64_t>(from.number, from.ancestors.size());
      return skip_to_tip(std::min(lowest, tip()), MissedBecause::unknown_block);
    }
  } else if ((job.needs.logs || job.needs.receipts) && from.logs_told != Position::kAll) {
    const HistoryEvent rest{.kind = HistoryEvent::Kind::rest, .logs_told = from.logs_told};
    if (append_block(job, at(from.number), rest, batch, now) == Have::not_yet) return std::nullopt;
  }
  return continue_from(job, last_told + 1, std::move(batch), now);
}

// The reader has seen more than we have: our node is behind the reader's last node, or the chain went back.
// The chain certainly went back if our head differs from the ancestor that the reader names for its height.
bool History::must_wait_for_head(const Job& job, Instant now) const {
  return now < job.give_up_waiting && may_be_ahead(job.from);
}

bool History::may_be_ahead(const Position& from) const {
  if (from.number <= tip()) return false;
  const std::uint64_t distance = from.number - tip();
  if (distance > from.ancestors.size()) return true;
  return from.ancestors[distance - 1] == prefix_of(chain_.back().header->hash);
}

// The last common block of the reader's branch and the chain, as far as the position itself shows it.
std::optional<std::uint64_t> History::named_ancestor(const Position& from) const {
  for (std::uint64_t i = 0; i < from.ancestors.size(); ++i) {
    const std::uint64_t number = from.number - 1 - i;
    if (number < first() || number > tip()) continue;
    if (prefix_of(at(number).header->hash) == from.ancestors[i]) return number;
  }
  return std::nullopt;
}

// The same, but without the logs of removed blocks.
History::Have History::find_fork(const Position& from, std::uint64_t& fork, Instant now) {
  const std::uint64_t lowest = from.number - std::min<std::uint64_t>(from.number, from.ancestors.size());
  if (const Have have = reach_down(std::min(lowest, tip()), now); have != Have::yes) return have;
  if (const auto named = named_ancestor(from)) {
    fork = *named;
    return Have::yes;
  }
  // Below the named ancestors: uses the removed blocks, if they are known or a node has them.
  Hash256 hash = from.hash;
  for (std::uint64_t number = from.number;; --number) {
    if (on_chain(number, hash)) {
      fork = number;
      return Have::yes;
    }
    if (number == 0 || number + options_.window_blocks < tip()) return Have::never;
    const auto block = branches_.find(hash);
    if (block == branches_.end()) {
      return want({.what = FetchKey::What::header_by_hash, .hash = hash}, options_.branch_attempts_max, now);
    }
    if (block->second.header->number != number) return Have::never;
    hash = block->second.header->parent_hash;
    if (number - 1 > tip()) continue;
    if (const Have have = reach_down(number - 1, now); have != Have::yes) return have;
  }
}

// Walks the reader's branch down to the chain, block by block, with the logs that the reader was sent.
History::Have History::append_removed(const Job& job, std::uint64_t& fork, HistoryBatch& batch, Instant now) {
  if (const Have have = find_fork(job.from, fork, now); have != Have::yes) return have;
  Have all = Have::yes;
  Hash256 hash = job.from.hash;
  for (std::uint64_t number = job.from.number; number > fork && all != Have::never; --number) {
    const auto block = branches_.find(hash);
    if (block == branches_.end()) {
      all = want({.what = FetchKey::What::header_by_hash, .hash = hash}, options_.branch_attempts_max, now);
      break;
    }
    if (block->second.header->number != number) return Have::never;
    const bool is_first = number == job.from.number;
    const std::uint32_t told = is_first ? job.from.logs_told : Position::kAll;
    if (block->second.logs == nullptr && told > 0) {
      const Have have = want({.what = FetchKey::What::logs, .hash = hash}, options_.branch_attempts_max, now);
      all = have == Have::never ? have : Have::not_yet;
    }
    batch.events.push_back({.kind = HistoryEvent::Kind::removed,
                            .header = block->second.header,
                            .logs = block->second.logs,
                            .logs_told = told});
    hash = block->second.header->parent_hash;
  }
  // The block may not descend from the ancestors that the position names.
  if (all == Have::yes && hash != at(fork).header->hash) return Have::never;
  if (all != Have::never) return all;
  batch.events = {{.kind = HistoryEvent::Kind::reorged, .first = fork + 1, .last = job.from.number}};
  return Have::yes;
}

// Appends blocks from `next` on, as many as fit into a batch.
std::optional<HistoryBatch> History::continue_from(const Job& job, std::uint64_t next, HistoryBatch batch,
                                                   Instant now) {
  const std::uint64_t last = std::min(tip(), next - 1 + options_.batch_blocks_max);
  bool complete = true;
  for (std::uint64_t number = next; number <= last; ++number) {
    const HistoryEvent added{.kind = HistoryEvent::Kind::added};
    if (append_block(job, at(number), added, batch, now) == Have::not_yet) complete = false;
  }
  if (!complete) return std::nullopt;
  batch.reached = position_at(last);
  // Live only at the head, with few blocks left to send, and when no earlier logs or receipts are
  // outstanding.
  const bool is_short = last + 1 - next <= options_.live_blocks_max;
  batch.live = last == tip() && is_short && !(job.needs.logs && logs_are_late_) &&
               !(job.needs.receipts && receipts_late() > 0);
  if (batch.events.empty() && !batch.live) return std::nullopt;
  return batch;
}

// Requests the block's logs if they are needed, and continues: all missing data is requested at once.
History::Have History::append_block(const Job& job, const Block& block, HistoryEvent event,
                                    HistoryBatch& batch, Instant now) {
  event.header = block.header;
  event.logs = block.logs;
  event.receipts = block.receipts;
  const bool lacks_logs = job.needs.logs && block.logs == nullptr;
  if (lacks_logs || (job.needs.receipts && block.receipts == nullptr)) {
    const FetchKey key{.what = lacks_logs ? FetchKey::What::logs : FetchKey::What::receipts,
                       .hash = block.header->hash};
    if (want(key, options_.attempts_max, now) == Have::not_yet) return Have::not_yet;
    batch.events.push_back({.kind = HistoryEvent::Kind::missed,
                            .first = block.header->number,
                            .last = block.header->number,
                            .because = MissedBecause::unavailable});
  }
  batch.events.push_back(std::move(event));
  return Have::yes;
}

HistoryBatch History::skip_to_tip(std::uint64_t first, MissedBecause because) const {
  return {.from = {},
          .events = {{.kind = HistoryEvent::Kind::missed, .first = first, .last = tip(), .because = because}},
          .reached = position_at(tip()),
          .live = false};
}

}  // namespace fanfare::eth
