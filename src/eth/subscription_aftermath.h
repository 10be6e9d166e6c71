#pragma once
// What a subscription manager asks of its caller: data of the history, and the work that events left.

#include <string>
#include <vector>

#include "eth/cursor.h"
#include "eth/feeds/feed.h"
#include "eth/history.h"

namespace fanfare::eth {

// What History must deliver to a subscription that is not live yet.
struct MissingHistory {
  ConnectionKey connection = 0;
  std::string id;
  Position from;
  HistoryNeeds needs;
};

struct SubscriptionAftermath {
  std::vector<MissingHistory> missing;  // to request from the history
  // Connections to close: their streams have missed something and have no notice for it.
  struct Closing {
    std::vector<ConnectionKey> connections;
    std::string why;
  };
  std::vector<Closing> closing;
  // A connection for each of its subscriptions that a notice has ended.
  std::vector<ConnectionKey> ended;
};

}  // namespace fanfare::eth
