#pragma once
// A subscriber between the heads' topic and a connection that asked for the latest head only when it reads
// too slowly: while the connection is congested one head is kept, and what it took the place of is
// remembered. One thread.

#include <cstdint>
#include <optional>
#include <utility>

#include "pubsub/backlog.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

class LatestHead final : public pubsub::Subscriber {
 public:
  // Both outlive it; `published` is the number of the head that is being delivered.
  LatestHead(pubsub::Subscriber& connection, const std::optional<std::uint64_t>& published)
      : connection_(connection), published_(published) {}

  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return connection_.is_congested(); }

  struct Held {
    SharedBytes frame;
    std::uint64_t heads_missed = 0;
    std::uint64_t first = 0;  // the lowest and the highest number of those that were missed
    std::uint64_t last = 0;
  };
  // What waits, once the connection is not congested any more.
  std::optional<Held> take();
  // Heads that were not sent, so far.
  std::uint64_t dropped() const { return dropped_; }

 private:
  pubsub::Subscriber& connection_;
  const std::optional<std::uint64_t>& published_;
  pubsub::Backlog backlog_{1};
  std::uint64_t held_number_ = 0;
  std::uint64_t first_missed_ = 0;
  std::uint64_t last_missed_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace fanfare::eth
