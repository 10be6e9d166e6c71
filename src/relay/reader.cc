#include "relay/reader.h"

#include <algorithm>
#include <utility>

namespace fanfare::relay {

void Reader::reset() {
  Reader fresh;
  fresh.ended_ = std::move(ended_);
  *this = std::move(fresh);
}

void Reader::note_ended(std::uint64_t epoch) {
  if (epoch == kNoEpoch || has_ended(epoch)) return;
  if (ended_.size() == kEndedMax) ended_.erase(ended_.begin());
  ended_.push_back(epoch);
}

void Reader::start_behind(const Mark& mark) {
  epoch_ = mark.position.epoch;
  next_ = mark.position.offset + 1;
  time_ = mark.time;
  is_passed_ = false;
  has_delivered_ = mark.position.offset > 0;
}

std::optional<Position> Reader::begin(const StreamState& state, std::uint64_t recent_max) {
  consumer_sequence_ = 0;
  end_ = state.last;
  is_replaced_ = false;
  const std::uint64_t kept = state.last + 1 - state.first;
  const std::uint64_t first = kept > recent_max ? state.last + 1 - recent_max : state.first;
  const bool is_other = state.epoch != epoch_;
  if (is_other) {
    note_ended(epoch_);
    epoch_ = state.epoch;
    has_delivered_ = false;
  }
  const bool moves = is_other || first > next_;
  if (moves) {
    next_ = first;
    time_ = 0;
    is_passed_ = false;
  }
  is_checking_ = !is_passed_ && next_ > state.first && next_ - 1 <= state.last;
  if (!moves) return std::nullopt;
  return Position{.epoch = epoch_, .offset = next_ - 1};
}

void Reader::pass(std::uint64_t until) {
  next_ = std::max(next_, until + 1);
  time_ = 0;
  is_checking_ = false;
  is_passed_ = true;
}

void Reader::step_behind(const Delivery& delivery) {
  is_passed_ = false;
  next_ = delivery.stream_sequence + 1;
  time_ = delivery.time;
}

Reader::Take Reader::take(const Delivery& delivery, std::uint64_t epoch) {
  if (delivery.consumer_sequence != consumer_sequence_ + 1) return Take::restart;
  consumer_sequence_ = delivery.consumer_sequence;
  const std::uint64_t sequence = delivery.stream_sequence;
  // If the first one is a later one, the broker has dropped it by now: nothing can be compared.
  if (std::exchange(is_checking_, false) && sequence + 1 == next_) {
    is_replaced_ = time_ != 0 && time_ != delivery.time;
    if (is_replaced_) return Take::restart;
    time_ = delivery.time;
    return Take::skip;
  }
  if (epoch == kNoEpoch) {
    if (sequence < next_) return Take::skip;
    step_behind(delivery);
    return Take::skip_foreign;
  }
  if (epoch != epoch_) {
    // What was stored after the stream was in this epoch is of a later one.
    if (has_delivered_ || sequence > end_) return Take::restart;
    if (sequence >= next_) step_behind(delivery);
    return Take::skip_epoch;
  }
  if (sequence < next_) return Take::skip;
  const bool follows = sequence == next_;
  step_behind(delivery);
  has_delivered_ = true;
  return follows ? Take::deliver : Take::deliver_after_gap;
}

}  // namespace fanfare::relay
