#pragma once
// newPendingTransactions: the hash of every new transaction, or with `true` the whole transaction. Missed ones
// cannot be fetched again, so the stream is complete or ends (decisions 0015 and 0132): by a notice if the client
// asked for notices, else with its connection.

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "eth/feeds/feed.h"

namespace fanfare::eth {

std::expected<void, std::string> parse_new_pending_transactions(std::string_view parameter,
                                                                SubscriptionRequest& request);
std::unique_ptr<Feed> make_new_pending_transactions_feed(FeedLoop& loop, SubscriptionType type);

}  // namespace fanfare::eth
