#pragma once
// Notifications on their way from the feeds to subscribers: each text becomes one frame for each id of its
// group, which all holders of the id share. It counts them. One thread, no I/O.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/shared_bytes.h"
#include "eth/feeds/feed.h"
#include "eth/resume_link.h"
#include "eth/subscription_id.h"
#include "eth/subscription_table.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

// What the subscriptions of one network on one loop have done so far.
struct SubscriptionCounters {
  std::uint64_t subscribed = 0;
  std::uint64_t unsubscribed = 0;  // by request
  std::uint64_t dropped = 0;       // with their connection
  std::uint64_t ended = 0;         // by a notice, because they missed something
  std::uint64_t refused = 0;       // any error of subscribe(), or withdrawn
  std::uint64_t encoded = 0;       // frames made
  std::uint64_t delivered = 0;     // frames handed to subscribers
  std::uint64_t replayed = 0;      // frames made for resuming subscribers
  std::uint64_t resumed = 0;       // became live without missing anything
  std::uint64_t resumed_with_notice = 0;
  std::uint64_t heads_dropped = 0;   // for subscribers that asked for the latest head only
  std::uint64_t blocks_matched = 0;  // blocks whose logs were held against filters
  // By type: results handed to subscribers, without replays; and subscriptions ended by a notice.
  std::array<std::uint64_t, kSubscriptionTypes> results{};
  std::array<std::uint64_t, kSubscriptionTypes> ended_of{};
};

class Notifier {
 public:
  // Turns the text of a notification into the bytes for subscribers (a WebSocket frame around it).
  using Framer = std::function<SharedBytes(std::string_view notification_json)>;

  // `topics` and `counters` must outlive the notifier.
  Notifier(pubsub::TopicTable& topics, Framer framer, SubscriptionCounters& counters);

  // Returns the frame for the holders of `id`.
  SharedBytes encode(const SubscriptionId& id, const Notification& text);
  // Delivers it to the live subscriptions of the group. Returns how many accepted it. A delivery may remove
  // connections, and the group with the last of them.
  std::size_t publish(const SubscriptionTable::Group& group, const Notification& text);

  // For a subscriber of a tracked group: the frame of a notification for it, empty for a notice. While it is delivered,
  // step() is where it leads.
  SharedBytes encode_tracked(const SubscriptionId& id, const Notification& text);
  SharedBytes encode(const SubscriptionId& id, const SubscriptionTable::Subscription& holder,
                     const Notification& text) {
    return holder.tracked != nullptr ? encode_tracked(id, text) : encode(id, text);
  }
  const Step& step() const { return step_; }

 private:
  pubsub::TopicTable& topics_;
  Framer framer_;
  SubscriptionCounters& counters_;
  std::string scratch_;
  Step step_;
};

}  // namespace fanfare::eth
