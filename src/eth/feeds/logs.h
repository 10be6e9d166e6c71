#pragma once
// logs: the logs of every block that a filter matches, after the block's head and in order. A reorg retracts
// them with removed: true, the last log first. Logs may come later than the heads of the blocks that follow
// (decision 0111), so this type has a position of its own.

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "eth/feeds/feed.h"

namespace fanfare::eth {

std::expected<void, std::string> parse_logs(std::string_view parameter, SubscriptionRequest& request);
std::unique_ptr<Feed> make_logs_feed(FeedLoop& loop, SubscriptionType type);

}  // namespace fanfare::eth
