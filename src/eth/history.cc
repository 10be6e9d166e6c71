#include "eth/history.h"

#include <algorithm>
#include <iterator>
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
    : options_(options),
      // A position at the end of the window names ancestors that may be requested too.
      chain_(std::size_t{options.window_blocks} + 1 + Position::kAncestorsMax, options.branch_blocks_max),
      fetches_(options_, chain_, call_ids, random),
      forks_(options_, chain_, fetches_) {
  FANFARE_CHECK(options.window_blocks > 0 && options.batch_blocks_max > 0 && options.calls_in_flight_max > 0);
}

// --- the announced chain ---------------------------------------------------------------------------

void History::on_event(ChainEvent& event) {
  struct {
    History& self;
    void operator()(const Baseline& baseline) {
      const Header& header = *baseline.header;
      while (!self.chain_.is_empty() && self.chain_.tip() > header.number) self.remove_tip();
      if (!self.chain_.ends_with(header.hash)) self.push(baseline.header, nullptr);
      self.receipts_next_ = header.number + 1;  // a baseline is never announced, so it needs no receipts
    }
    void operator()(const BlockAdded& added) { self.push(added.header, added.logs); }
    void operator()(const BlockLogsLate& late) {
      if (Block* block = self.chain_.find(late.header->hash)) block->logs = late.logs;
    }
    void operator()(BlockRemoved& removed) {
      if (self.chain_.ends_with(removed.header->hash)) {
        if (removed.logs == nullptr) removed.logs = self.chain_.back().logs;
        self.remove_tip();
      }
      self.chain_.remember_removed({.header = removed.header, .logs = removed.logs});
    }
    void operator()(const Gap&) { self.chain_.clear(); }
    void operator()(const LogsMissing&) {}
    void operator()(const Reorg&) {}  // the removed blocks follow
  } visitor{*this};
  std::visit(visitor, event);
}

// Announced blocks that do not lead to this block are no longer part of the chain.
void History::push(const HeaderPtr& header, const BlockLogsPtr& logs) {
  while (!chain_.is_empty() && !chain_.ends_with(header->parent_hash)) remove_tip();
  if (chain_.is_empty()) receipts_next_ = header->number;
  chain_.push(header, logs);
}

void History::remove_tip() {
  receipts_next_ = std::min(receipts_next_, chain_.tip());
  chain_.remove_tip();
}

void History::set_view_state(bool logs_are_late, bool bloom_trusted) {
  logs_are_late_ = logs_are_late;
  fetches_.set_bloom_trusted(bloom_trusted);
}

// --- jobs ------------------------------------------------------------------------------------------

History::JobId History::resume(const Position& from, const HistoryNeeds& needs, Instant now) {
  jobs_.push_back(
      {.id = ++last_job_, .from = from, .needs = needs, .give_up_waiting = now + options_.ahead_wait});
  return last_job_;
}

void History::pump(Instant now) {
  status_.receipts_late = receipts_late();
  if (jobs_.empty() && fetches_.is_idle() && !receipts_wanted_) return;
  fetches_.begin_round(now);
  forks_.begin_round();
  tell_receipts(now);
  std::erase_if(jobs_, [&](Job& job) {
    job.waits_for_head = !chain_.is_empty() && must_wait_for_head(job, now);
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
  fetches_.end_round();
  if (jobs_.empty()) chain_.forget_older();
  status_.jobs = jobs_.size();
  status_.receipts_late = receipts_late();
}

// --- receipts for live subscribers -----------------------------------------------------------------

void History::want_receipts_after(const std::optional<BlockId>& after) {
  if (!std::exchange(receipts_wanted_, true)) receipts_next_ = chain_.is_empty() ? 0 : chain_.tip() + 1;
  receipts_next_ = std::min(receipts_next_, first_after(after));
}

// A reader at an unknown block may have left the chain at any earlier block.
std::uint64_t History::first_after(const std::optional<BlockId>& after) const {
  if (chain_.is_empty()) return 0;  // the chain begins with the next announced block
  if (!after) return chain_.first();
  BlockId at = *after;
  while (!chain_.contains(at.number, at.hash)) {
    const Block* const gone = chain_.find_removed(at.hash);
    if (at.number <= chain_.first() || gone == nullptr) return chain_.first();
    at = {.number = at.number - 1, .hash = gone->header->parent_hash};
  }
  return at.number + 1;
}

// Reports receipts in block order; requests all missing ones at once.
void History::tell_receipts(Instant now) {
  if (!receipts_wanted_ || chain_.is_empty()) return;
  receipts_next_ = std::max(receipts_next_, chain_.first());
  for (std::uint64_t number = receipts_next_; number <= chain_.tip(); ++number) {
    const Block& block = chain_.at(number);
    const BlockPart part{.what = BlockPart::What::receipts, .hash = block.header->hash};
    const Have have = block.receipts ? Have::yes : fetches_.want(part, options_.attempts_max, now);
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
  return receipts_wanted_ && !chain_.is_empty() && receipts_next_ <= chain_.tip()
             ? chain_.tip() + 1 - receipts_next_
             : 0;
}

// --- one job ---------------------------------------------------------------------------------------

// Empty: data is still missing. Evaluates everything again at each call, so that changes of the chain between
// two calls do not matter.
std::optional<HistoryBatch> History::advance(const Job& job, Instant now) {
  if (chain_.is_empty() || job.waits_for_head) return std::nullopt;
  // A block that was removed and has come back may have been retracted by messages that nobody remembers.
  const bool is_unsure = job.needs.removed_since == 0U;
  const auto below =
      is_unsure ? chain_.below_what_came_back(job.from, Position::kUnknownBelow) : std::nullopt;
  const Position& from = below ? *below : job.from;
  if (options_.waits_ahead && chain_.may_be_below(from)) {
    return HistoryBatch{.from = {}, .events = {}, .reached = from, .live = false};
  }
  if (from.number + options_.window_blocks < chain_.tip()) {
    return skip_to_tip(from, MissedBecause::window, now);
  }
  if (from.number <= chain_.tip()) {
    switch (forks_.reach_down(from.number, now)) {
      case Have::not_yet:
        return std::nullopt;
      case Have::never:
        return skip_to_tip(from, MissedBecause::unavailable, now);
      case Have::yes:
        break;
    }
  }
  HistoryBatch batch;
  batch.removals = chain_.removals();
  batch.replaces = !job.needs.logs;
  std::uint64_t last_told = from.number;
  Have have = Have::yes;
  if (!chain_.contains(from.number, from.hash)) {
    have =
        job.needs.logs ? append_removed(job, last_told, batch, now) : forks_.find_fork(from, last_told, now);
  } else if ((job.needs.logs || job.needs.receipts) && from.logs_told != Position::kAll) {
    const HistoryEvent rest{.kind = HistoryEvent::Kind::rest, .logs_told = from.logs_told};
    if (append_block(job, chain_.at(from.number), rest, batch, now) == Have::not_yet) return std::nullopt;
  }
  const Have aside = job.needs.logs ? prepend_aside(job, batch, now)
                                    : forks_.find_lowest(job.needs.may_have, last_told, now);
  if (have == Have::not_yet || aside == Have::not_yet) return std::nullopt;
  if (have == Have::never || aside == Have::never)
    return skip_to_tip(from, MissedBecause::unknown_block, now);
  return continue_from(job, last_told + 1, std::move(batch), now);
}

// The reader has seen more than we have: our node is behind the reader's last node, or the chain went back.
// The chain certainly went back if our head differs from the ancestor that the reader names for its height.
bool History::must_wait_for_head(const Job& job, Instant now) const {
  return now < job.give_up_waiting &&
         (chain_.may_be_below(job.from) ||
          std::ranges::any_of(
              job.needs.may_have, [this](const Position& one) { return chain_.may_be_below(one); }));
}

// Walks the reader's branch down to the chain, block by block, with the logs that the reader was sent.
Have History::append_removed(const Job& job, std::uint64_t& fork, HistoryBatch& batch, Instant now) {
  if (const Have have = forks_.find_fork(job.from, fork, now); have != Have::yes) return have;
  Have all = Have::yes;
  Hash256 hash = job.from.hash;
  for (std::uint64_t number = job.from.number; number > fork && all != Have::never; --number) {
    const Block* const block = chain_.find_removed(hash);
    if (block == nullptr) {
      all = fetches_.want({.what = BlockPart::What::header_by_hash, .hash = hash},
                          options_.branch_attempts_max, now);
      break;
    }
    if (block->header->number != number) return Have::never;
    const bool is_first = number == job.from.number;
    const std::uint32_t told = is_first ? job.from.logs_told : Position::kAll;
    if (block->logs == nullptr && told > 0) {
      const Have have =
          fetches_.want({.what = BlockPart::What::logs, .hash = hash}, options_.branch_attempts_max, now);
      all = have == Have::never ? have : Have::not_yet;
    }
    batch.events.push_back({.kind = HistoryEvent::Kind::removed,
                            .header = block->header,
                            .logs = block->logs,
                            .logs_told = told});
    hash = block->header->parent_hash;
  }
  // The block may not descend from the ancestors that the position names.
  if (all == Have::yes && hash != chain_.at(fork).header->hash) return Have::never;
  if (all != Have::never) return all;
  batch.events = {{.kind = HistoryEvent::Kind::reorged, .first = fork + 1, .last = job.from.number}};
  return Have::yes;
}

// Appends blocks from `next` on, as many as fit into a batch.
std::optional<HistoryBatch> History::continue_from(const Job& job, std::uint64_t next, HistoryBatch batch,
                                                   Instant now) {
  const std::uint64_t last = std::min(chain_.tip(), next - 1 + options_.batch_blocks_max);
  bool complete = true;
  for (std::uint64_t number = next; number <= last; ++number) {
    const HistoryEvent added{.kind = HistoryEvent::Kind::added};
    if (append_block(job, chain_.at(number), added, batch, now) == Have::not_yet) complete = false;
  }
  if (!complete) return std::nullopt;
  batch.reached = chain_.position_at(last);
  std::ranges::copy_if(batch.lowered, std::back_inserter(batch.ahead),
                       [last](const Position& one) { return one.number > last; });
  // Live only at the head, with few blocks left to send, and when no earlier logs or receipts are
  // outstanding.
  const bool is_short = last + 1 - next <= options_.live_blocks_max;
  batch.live = last == chain_.tip() && is_short && !(job.needs.logs && logs_are_late_) &&
               !(job.needs.receipts && receipts_late() > 0);
  if (batch.events.empty() && !batch.live) return std::nullopt;
  return batch;
}

// Requests the block's logs if they are needed, and continues: all missing data is requested at once.
Have History::append_block(const Job& job, const Block& block, HistoryEvent event, HistoryBatch& batch,
                           Instant now) {
  event.header = block.header;
  event.logs = block.logs;
  event.receipts = block.receipts;
  const bool lacks_logs = job.needs.logs && block.logs == nullptr;
  if (lacks_logs || (job.needs.receipts && block.receipts == nullptr)) {
    const BlockPart part{.what = lacks_logs ? BlockPart::What::logs : BlockPart::What::receipts,
                         .hash = block.header->hash};
    if (fetches_.want(part, options_.attempts_max, now) == Have::not_yet) return Have::not_yet;
    batch.events.push_back({.kind = HistoryEvent::Kind::missed,
                            .first = block.header->number,
                            .last = block.header->number,
                            .because = MissedBecause::unavailable});
  }
  batch.events.push_back(std::move(event));
  return Have::yes;
}

std::optional<HistoryBatch> History::skip_to_tip(const Position& from, MissedBecause because, Instant now) {
  std::uint64_t first = 0;
  if (forks_.find_first_missing(from, first, now) == Have::not_yet) return std::nullopt;
  if (because == MissedBecause::unknown_block && first > 0) because = MissedBecause::window;
  if (because == MissedBecause::window && first == 0) because = MissedBecause::unknown_block;
  return HistoryBatch{.from = {},
                      .events = {{.kind = HistoryEvent::Kind::missed,
                                  .first = std::min(first, chain_.tip()),
                                  .last = chain_.tip(),
                                  .because = because}},
                      .reached = chain_.position_at(chain_.tip()),
                      .live = false};
}

// --- calls and timers ------------------------------------------------------------------------------

std::optional<Instant> History::next_timer() const {
  std::optional<Instant> earliest = fetches_.next_timer();
  for (const Job& job : jobs_) {
    if (job.waits_for_head && (!earliest || job.give_up_waiting < *earliest)) earliest = job.give_up_waiting;
  }
  return earliest;
}

History::Status History::status() const {
  Status now = status_;
  now.calls = fetches_.calls();
  now.blocks_fetched = fetches_.fetched();
  return now;
}

std::vector<ReceiptsEvent> History::take_receipts() {
  return std::exchange(receipts_events_, {});
}

std::vector<History::Answer> History::take_answers() {
  return std::exchange(answers_, {});
}

}  // namespace fanfare::eth
