// The part of the history for readers that may have more than their position says: HistoryNeeds::may_have.

#include <algorithm>
#include <utility>

#include "eth/history.h"

namespace fanfare::eth {
namespace {

bool is_retracted(const HistoryBatch& batch, const HistoryEvent& event) {
  return event.kind == HistoryEvent::Kind::removed &&
         std::ranges::any_of(batch.events, [&](const HistoryEvent& one) {
           return &one != &event && one.kind == HistoryEvent::Kind::removed &&
                  one.header->hash == event.header->hash && one.logs_told >= event.logs_told;
         });
}

}  // namespace

// What the reader may have of removed branches. Evaluated together with what it gets: a reorg between the two would
// leave it with blocks of which nobody knows.
Have History::append_aside(const Job& job, HistoryBatch& batch, Instant now) {
  if (!job.needs.logs) return Have::yes;
  for (const Position& position : job.needs.may_have) {
    if (position.number <= chain_.tip()) {
      if (forks_.reach_down(position.number, now) == Have::not_yet) return Have::not_yet;
    }
    if (chain_.contains(position.number, position.hash)) {
      batch.ahead.push_back(position);
      continue;
    }
    HistoryBatch removed;
    std::uint64_t fork = position.number;
    const Job aside{.from = position, .needs = {.logs = true}};
    const Have have = append_removed(aside, fork, removed, now);
    if (have == Have::not_yet) return have;
    if (have == Have::never) {
      std::uint64_t first = 0;
      if (forks_.find_first_missing(position, first, now) == Have::not_yet) return Have::not_yet;
      removed.events = {{.kind = HistoryEvent::Kind::reorged,
                         .first = std::min({position.number, job.from.number + 1, first}),
                         .last = position.number}};
    }
    for (HistoryEvent& event : removed.events) {
      event.is_aside = true;
      if (!is_retracted(batch, event)) batch.events.push_back(std::move(event));
    }
  }
  return Have::yes;
}

// Removed blocks of which the reader may have been sent something that nobody remembers. Also a little below its position: what it was
// sent last may have begun there, after a reorg.
Have History::append_unknown(const Job& job, HistoryBatch& batch, Instant now) {
  if (!job.needs.logs || !job.needs.removed_since) return Have::yes;
  const std::uint64_t below = std::min<std::uint64_t>(job.from.number, Position::kUnknownBelow);
  Have all = Have::yes;
  std::vector<HistoryEvent> removed;
  for (const Block* const block : chain_.removed_from(job.from.number - below, *job.needs.removed_since)) {
    HistoryEvent event{.kind = HistoryEvent::Kind::removed,
                       .is_aside = true,
                       .header = block->header,
                       .logs = block->logs,
                       .logs_told = Position::kAll};
    if (block->logs == nullptr) {
      const Have have = fetches_.want({.what = BlockPart::What::logs, .hash = block->header->hash},
                                      options_.branch_attempts_max, now);
      if (have != Have::never) {
        all = Have::not_yet;
        continue;
      }
      event = {.kind = HistoryEvent::Kind::reorged,
               .is_aside = true,
               .first = block->header->number,
               .last = block->header->number};
    }
    if (!is_retracted(batch, event)) removed.push_back(std::move(event));
  }
  batch.events.insert(batch.events.begin(), removed.begin(), removed.end());
  return all;
}

void retract_once(HistoryBatch& batch) {
  for (HistoryEvent& event : batch.events) {
    if (!event.is_aside && is_retracted(batch, event)) event.logs_told = 0;
  }
}

}  // namespace fanfare::eth
