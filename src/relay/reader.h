#pragma once
// The order of one topic's messages, as an ordered consumer delivers them: finds what is repeated, what the broker no longer has,
// and where the consumer must be made again. No I/O.
//
//   begin(state of the stream) -> consumer from next() -> take(message)... -> begin(...) after a restart

#include <cstdint>
#include <optional>

#include "fanfare/topic.h"
#include "relay/names.h"

namespace fanfare::relay {

struct StreamState {
  std::uint64_t epoch = 0;
  std::uint64_t first = 1;  // the oldest sequence that is kept; last + 1: none is
  std::uint64_t last = 0;
};

class Reader {
 public:
  // Everything up to there has been delivered. Before begin().
  void start_behind(Position position);
  // A consumer begins. Returns what the subscribers must be told as lost: everything up to there. The first one of an
  // epoch says where it begins. `recent_max`: no more than so many events of the stream are wanted.
  std::optional<Position> begin(const StreamState& state, std::uint64_t recent_max = UINT64_MAX);
  // The broker has lost events that were delivered here, and would assign their offsets again.
  bool is_rolled_back(const StreamState& state) const {
    return state.epoch == epoch_ && state.last + 1 < next_;
  }

  enum class Take : std::uint8_t {
    deliver,
    deliver_after_gap,  // everything between the last one and this one is gone
    skip,               // delivered before
    skip_epoch,         // of an earlier epoch of the stream; `lost` moves
    restart,            // messages were lost on the way, or the stream has begun another epoch
  };
  Take take(const Delivery& delivery, std::uint64_t epoch);
  // A sign of life. False: messages before it were lost on the way.
  bool matches(std::uint64_t last_consumer_sequence) const {
    return last_consumer_sequence == consumer_sequence_;
  }

  std::uint64_t epoch() const { return epoch_; }
  // The sequence from which a consumer begins.
  std::uint64_t next() const { return next_; }

 private:
  std::uint64_t epoch_ = 0;  // zero: unknown
  std::uint64_t next_ = 1;
  std::uint64_t consumer_sequence_ = 0;
  bool has_delivered_ = false;  // in this epoch
};

}  // namespace fanfare::relay
