// The table of subscription types, in the order of SubscriptionType. Events are passed to the feeds in this
// order: a block's head comes before its logs.

#include <algorithm>
#include <array>
#include <cstddef>
#include <ranges>

#include "eth/feeds/feed.h"
#include "eth/feeds/logs.h"
#include "eth/feeds/new_finalized_heads.h"
#include "eth/feeds/new_heads.h"
#include "eth/feeds/new_pending_transactions.h"
#include "eth/feeds/syncing.h"
#include "eth/feeds/transaction_receipts.h"

namespace fanfare::eth {
namespace {

constexpr auto kTypes = std::to_array<FeedType>({
    {.name = "newHeads",
     .contracts = ShownContracts::none,
     .cursor = CursorOption::resumes,
     .latest_if_slow = true,
     .make = make_new_heads_feed},
    {.name = "logs",
     .contracts = ShownContracts::of_address,
     .has_parameter = true,
     .cursor = CursorOption::resumes,
     .parse = parse_logs,
     .make = make_logs_feed},
    {.name = "newPendingTransactions",
     .contracts = ShownContracts::none,
     .has_parameter = true,
     .cursor = CursorOption::notices,
     .not_listening = "the upstream does not report pending transactions",
     .parse = parse_new_pending_transactions,
     .make = make_new_pending_transactions_feed},
    // web3.js loses messages that arrive together with the answer.
    {.name = "syncing",
     .contracts = ShownContracts::none,
     .activates_later = true,
     .make = make_syncing_feed,
     .make_source = make_syncing_source},
    {.name = "transactionReceipts",
     .contracts = ShownContracts::every,
     .has_parameter = true,
     .cursor = CursorOption::resumes,
     .parse = parse_transaction_receipts,
     .make = make_transaction_receipts_feed},
    {.name = "newFinalizedHeads",
     .contracts = ShownContracts::none,
     .cursor = CursorOption::resumes,
     .not_listening = "the upstream does not report finalized blocks",
     .make = make_new_finalized_heads_feed,
     .make_source = make_new_finalized_heads_source},
});
static_assert(kTypes.size() == kSubscriptionTypes, "one row for each type");

// Pending transactions have their source in ChainSource itself.
constexpr bool has_source(std::size_t row) {
  return kTypes[row].make_source != nullptr ||
         static_cast<SubscriptionType>(row) == SubscriptionType::new_pending_transactions;
}

// What is called without a check for null.
constexpr bool is_complete(std::size_t row) {
  const FeedType& type = kTypes[row];
  return type.make != nullptr && type.has_parameter == (type.parse != nullptr) &&
         (type.not_listening.empty() || has_source(row));
}
static_assert(std::ranges::all_of(std::views::iota(std::size_t{0}, kTypes.size()), is_complete),
              "a row needs `make`, `parse` for its parameter, and a source if it has `not_listening`");

}  // namespace

const FeedType& feed_type(SubscriptionType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

const FeedType* find_feed_type(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &FeedType::name);
  return found == kTypes.end() ? nullptr : &*found;
}

}  // namespace fanfare::eth
