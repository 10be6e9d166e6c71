#pragma once
// transactionReceipts: for each block, one array of the receipts that a filter matches. A reorg retracts nothing:
// the receipts of the new branch follow. They come after the block's head and logs, in block order, so this type
// has a position of its own.

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "eth/feeds/feed.h"

namespace fanfare::eth {

std::expected<void, std::string> parse_transaction_receipts(std::string_view parameter,
                                                            SubscriptionRequest& request);
std::unique_ptr<Feed> make_transaction_receipts_feed(FeedLoop& loop, SubscriptionType type);

}  // namespace fanfare::eth
