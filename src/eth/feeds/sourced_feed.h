#pragma once
// A feed whose events come from a FeedSource of its own, and not from the chain. Event: the body of its
// FeedEvents.

#include <any>
#include <cstddef>
#include <variant>

#include "eth/chain_source.h"
#include "eth/feeds/feed.h"

namespace fanfare::eth {

template <typename Event>
class SourcedFeed : public Feed {
 public:
  using Feed::Feed;

  // The source runs while there are subscribers.
  void add_interest(Interest& interest) const override {
    if (!is_empty()) interest.sources.set(static_cast<std::size_t>(type_));
  }
  void on_event(const SourceEvent& event) final {
    std::visit(Visitor{[this](const FeedEvent& own) {
                         if (own.type == type_) on_own_event(std::any_cast<const Event&>(own.body));
                       },
                       Ignores<Baseline, BlockAdded, BlockLogsLate, BlockRemoved, LogsMissing, Reorg, Gap,
                               PendingHash, PendingBody, PendingMissed, ReceiptsKnown, ReceiptsMissing>{}},
               event);
  }

 protected:
  virtual void on_own_event(const Event& event) = 0;
};

}  // namespace fanfare::eth
