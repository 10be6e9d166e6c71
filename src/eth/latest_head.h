#pragma once
// A subscriber between the heads' topic and a connection that asked for the latest head only when it reads
// too slowly: keep_latest of pubsub/pace.h. It adds the range of the heads that were dropped, by number: a reorg
// may publish lower ones. One thread.

#include <cstdint>
#include <optional>
#include <string_view>

#include "pubsub/event_log.h"
#include "pubsub/pace.h"

namespace fanfare::eth {

// The subscriber's base refers to it until its end.
struct LatestHeadList {
  pubsub::WaitingList waiting;
};

class LatestHead final : private LatestHeadList, public pubsub::PacedSubscriber {
 public:
  // All must outlive it. `log`: of the topic, append() before each delivery and settle() after it. `published`:
  // the number of the head that is being delivered.
  LatestHead(pubsub::Subscriber& connection, pubsub::EventLog& log,
             const std::optional<std::uint64_t>& published);

  // May end this object's life.
  bool deliver(const SharedBytes& frame) override;

  struct Held {
    SharedBytes frame;
    std::uint64_t heads_missed = 0;
    std::uint64_t first = 0;  // the lowest and the highest number of the missed heads
    std::uint64_t last = 0;
  };
  // Returns the kept head; call once the connection is no longer congested.
  std::optional<Held> take_held();

  bool is_congested() const override { return connection_.is_congested(); }
  void on_missed(const Missed&) override {}  // there are no marks: take_held() counts
  std::string_view topic_name() const override { return "newHeads"; }

 private:
  bool is_open() const override { return true; }
  bool send(const SharedBytes& frame) override { return connection_.deliver(frame); }
  bool has_room_behind(std::size_t) override { return true; }  // never asked under keep_latest
  void on_ready() override {}  // it begins to wait only while the connection is congested

  pubsub::Subscriber& connection_;
  const std::optional<std::uint64_t>& published_;
  std::uint64_t held_number_ = 0;
  std::optional<std::uint64_t> first_missed_;
  std::uint64_t last_missed_ = 0;
};

}  // namespace fanfare::eth
