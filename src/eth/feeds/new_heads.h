#pragma once
// newHeads: every new block of the chain, in order. After a fork, the blocks of the new branch. A head that was
// removed and returns before any other was published is not published again.

#include <memory>

#include "eth/feeds/feed.h"

namespace fanfare::eth {

std::unique_ptr<Feed> make_new_heads_feed(FeedLoop& loop, SubscriptionType type);

}  // namespace fanfare::eth
