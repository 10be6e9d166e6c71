// The part of the history for readers that may have more than their position says: HistoryNeeds::may_have.

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "eth/history.h"

namespace fanfare::eth {
namespace {

bool is_removed_block(const HistoryEvent& event) {
  return event.kind == HistoryEvent::Kind::removed;
}

HistoryEvent reorged(std::uint64_t first, std::uint64_t last) {
  return {.kind = HistoryEvent::Kind::reorged, .first = first, .last = last};
}

// Of all its logs.
HistoryEvent retraction_of(const KnownChain::Block& block) {
  if (block.logs == nullptr) return reorged(block.header->number, block.header->number);
  return {.kind = HistoryEvent::Kind::removed,
          .header = block.header,
          .logs = block.logs,
          .logs_told = Position::kAll};
}

// Each block once, with as many logs as are to be retracted for any reader's branch.
void merge(HistoryEvent event, std::vector<HistoryEvent>& aside) {
  event.is_aside = true;
  const auto known = std::ranges::find_if(aside, [&](const HistoryEvent& one) {
    return is_removed_block(one) && is_removed_block(event) && one.header->hash == event.header->hash;
  });
  if (known == aside.end()) {
    aside.push_back(std::move(event));
    return;
  }
  known->logs_told = std::max(known->logs_told, event.logs_told);
  if (known->logs == nullptr) known->logs = std::move(event.logs);
  known->of.insert(known->of.end(), event.of.begin(), event.of.end());
}

// The reader leaves the blocks of its own branch by events that move its position: only what it may have beyond that is retracted aside.
void leave_out_own_branch(const HistoryBatch& batch, const Position& from, std::vector<HistoryEvent>& aside) {
  for (const HistoryEvent& own : batch.events) {
    if (!is_removed_block(own)) continue;
    const auto same = std::ranges::find_if(aside, [&](const HistoryEvent& one) {
      return is_removed_block(one) && one.header->hash == own.header->hash;
    });
    if (same == aside.end()) continue;
    if (own.header->hash == from.hash && same->logs_told > from.logs_told) {
      same->logs_kept = from.logs_told;
    } else {
      aside.erase(same);
    }
  }
}

// What is missing comes first; then the highest blocks, so that a reader which loses the connection has nothing of a block without
// its parents.
std::uint64_t order_of(const HistoryEvent& event) {
  return is_removed_block(event) ? event.header->number : UINT64_MAX;
}

void put_in_front(std::vector<HistoryEvent> aside, HistoryBatch& batch) {
  std::ranges::stable_sort(aside, std::greater(), order_of);
  batch.events.insert(batch.events.begin(), std::make_move_iterator(aside.begin()),
                      std::make_move_iterator(aside.end()));
}

}  // namespace

// What the reader may have of removed branches. Evaluated together with what it gets: a reorg between the two would
// leave it with blocks of which nobody knows.
Have History::prepend_aside(const Job& job, HistoryBatch& batch, Instant now) {
  Have all = Have::yes;
  std::vector<HistoryEvent> aside;
  for (std::size_t which = 0; which < job.needs.may_have.size(); ++which) {
    if (find_aside(job, which, aside, batch, now) == Have::not_yet) all = Have::not_yet;
  }
  if (job.needs.removed_since && find_unknown(job, aside, now) == Have::not_yet) all = Have::not_yet;
  if (all == Have::not_yet) return all;
  leave_out_own_branch(batch, job.from, aside);
  put_in_front(std::move(aside), batch);
  return all;
}

Have History::find_aside(const Job& job, std::size_t which, std::vector<HistoryEvent>& aside,
                         HistoryBatch& batch, Instant now) {
  const Position& position = job.needs.may_have[which];
  const bool is_below = position.number <= chain_.tip();
  if (is_below && forks_.reach_down(position.number, now) == Have::not_yet) return Have::not_yet;
  if (chain_.contains(position.number, position.hash)) {
    batch.lowered.push_back(position);
    return Have::yes;
  }
  HistoryBatch removed;
  std::uint64_t fork = position.number;
  const Job branch{.from = position, .needs = {.logs = true}};
  const Have have = append_removed(branch, fork, removed, now);
  if (have == Have::not_yet) return have;
  if (have == Have::never) {
    std::uint64_t first = 0;
    if (forks_.find_first_missing(position, first, now) == Have::not_yet) return Have::not_yet;
    removed.events = {reorged(std::min({position.number, job.from.number + 1, first}), position.number)};
  }
  // It may still have the part of the branch that is part of the chain.
  batch.lowered.push_back(have == Have::never ? job.from : chain_.position_at(fork));
  for (HistoryEvent& event : removed.events) {
    event.of = {which};
    merge(std::move(event), aside);
  }
  return Have::yes;
}

// Removed blocks of which the reader may have been sent something that nobody remembers. Also a little below its position: what it was
// sent last may have begun there, after a reorg.
Have History::find_unknown(const Job& job, std::vector<HistoryEvent>& aside, Instant now) {
  const std::uint64_t below = std::min<std::uint64_t>(job.from.number, Position::kUnknownBelow);
  Have all = Have::yes;
  for (const Block* const block : chain_.removed_from(job.from.number - below, *job.needs.removed_since)) {
    const BlockPart part{.what = BlockPart::What::logs, .hash = block->header->hash};
    const bool lacks_logs = block->logs == nullptr;
    if (lacks_logs && fetches_.want(part, options_.branch_attempts_max, now) != Have::never) {
      all = Have::not_yet;
    } else {
      merge(retraction_of(*block), aside);
    }
  }
  return all;
}

}  // namespace fanfare::eth
