#pragma once
// A subscriber between the heads' topic and a connection that asked for the latest head only when it reads
// too slowly. While the connection is congested, it keeps one head, and remembers the range of heads that
// this one replaced. One thread.

#include <cstdint>
#include <optional>
#include <utility>

#include "pubsub/backlog.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

class LatestHead final : public pubsub::Subscriber {
 public:
  // Both must outlive it. `published` is the number of the head that is being delivered.
  LatestHead(pubsub::Subscriber& connection, const std::optional<std::uint64_t>& published)
      : connection_(connection), published_(published) {}

  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return connection_.is_congested(); }

  struct Held {
    SharedBytes frame;
    std::uint64_t heads_missed = 0;
    std::uint64_t first = 0;  // the lowest and the highest number of the missed heads
    std::uint64_t last = 0;
  };
  // Returns the kept head; call once the connection is no longer congested.
  std::optional<Held> take();
  // Heads not sent so far.
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
