#include "relay/reader.h"

namespace fanfare::relay {

void Reader::start_behind(Position position) {
  epoch_ = position.epoch;
  next_ = position.offset + 1;
  has_delivered_ = position.offset > 0;
}

std::optional<Position> Reader::begin(const StreamState& state, std::uint64_t recent_max) {
  consumer_sequence_ = 0;
  const std::uint64_t kept = state.last + 1 - state.first;
  const std::uint64_t first = kept > recent_max ? state.last + 1 - recent_max : state.first;
  const bool is_other = state.epoch != epoch_;
  if (is_other) {
    epoch_ = state.epoch;
    has_delivered_ = false;
  }
  if (!is_other && first <= next_) return std::nullopt;
  next_ = first;
  return Position{.epoch = epoch_, .offset = next_ - 1};
}

Reader::Take Reader::take(const Delivery& delivery, std::uint64_t epoch) {
  if (delivery.consumer_sequence != consumer_sequence_ + 1) return Take::restart;
  consumer_sequence_ = delivery.consumer_sequence;
  const std::uint64_t sequence = delivery.stream_sequence;
  if (epoch != epoch_) {
    if (has_delivered_) return Take::restart;
    if (sequence >= next_) next_ = sequence + 1;
    return Take::skip_epoch;
  }
  if (sequence < next_) return Take::skip;
  const bool follows = sequence == next_;
  next_ = sequence + 1;
  has_delivered_ = true;
  return follows ? Take::deliver : Take::deliver_after_gap;
}

}  // namespace fanfare::relay
