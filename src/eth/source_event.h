#pragma once
// What the source of a network reports, in order, to all loops and to the filters. Every consumer visits all
// alternatives with Visitor and names those that it ignores, so a new alternative does not compile before each
// consumer has an answer to it.
//
//   std::visit(Visitor{[](const BlockAdded& block) { .. }, Ignores<Baseline, Gap, ..>{}}, event);

#include <any>
#include <variant>

#include "eth/chain_view.h"
#include "eth/feeds/subscription_type.h"
#include "eth/history.h"
#include "eth/pending_source.h"

namespace fanfare::eth {

// Meant for the feed of one subscription type on each loop, from its own source (feeds/feed.h). Nobody else
// knows what is in it.
struct FeedEvent {
  SubscriptionType type{};
  std::any body;
};

using SourceEvent =
    std::variant<Baseline, BlockAdded, BlockLogsLate, BlockRemoved, LogsMissing, Reorg, Gap, PendingHash,
                 PendingBody, PendingMissed, ReceiptsKnown, ReceiptsMissing, FeedEvent>;

template <typename... Functions>
struct Visitor : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Visitor(Functions...) -> Visitor<Functions...>;

template <typename Event>
struct IgnoresOne {
  void operator()(const Event&) const {}
};
template <typename... Events>
struct Ignores : IgnoresOne<Events>... {
  using IgnoresOne<Events>::operator()...;
};

}  // namespace fanfare::eth
