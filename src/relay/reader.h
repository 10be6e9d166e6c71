#pragma once
// The order of one topic's messages, as an ordered consumer delivers them: finds what is repeated, what the broker no longer has,
// where the consumer must be made again, and that the broker has lost what it delivered. No I/O.
//
//   begin(state of the stream) -> consumer from() -> take(message)... -> begin(...) after a restart
//
// A consumer begins with the last message before it, which is known by the time at which the broker stored it. Another message in
// that place: the broker has lost the end of its stream, and has given the places to others
// (docs/decisions/0591-a-reader-knows-its-last-message.md).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fanfare/topic.h"
#include "relay/names.h"

namespace fanfare::relay {

struct StreamState {
  std::uint64_t epoch = 0;
  std::uint64_t first = 1;  // the oldest sequence that is kept; last + 1: none is
  std::uint64_t last = 0;
};

// An epoch was ended because of `ended`, by this instance or by another one that saw the same; now the stream is in `state`. So many of
// its last messages were stored meanwhile: no other ones can belong to the new epoch.
constexpr std::uint64_t messages_since(const StreamState& ended, const StreamState& state) {
  return state.last > ended.last ? state.last - ended.last : 0;
}

// Up to where a topic was read. `time`: of the message there (Delivery::time); zero: unknown.
struct Mark {
  Position position;
  std::uint64_t time = 0;

  friend bool operator==(const Mark&, const Mark&) = default;
};

class Reader {
 public:
  // As a new one, which knows the ended epochs.
  void reset();
  // Everything up to there has been delivered. Before begin().
  void start_behind(const Mark& mark);
  // A consumer begins. Returns what the subscribers must be told as lost: everything up to there. The first one of an
  // epoch says where it begins. `recent_max`: no more than so many events of the stream are wanted.
  std::optional<Position> begin(const StreamState& state, std::uint64_t recent_max = UINT64_MAX);
  // The broker has lost events that were delivered here: it would assign their offsets again, or has done so. Also if it is back in an
  // epoch that was ended.
  bool is_rolled_back(const StreamState& state) const {
    if (state.epoch != epoch_) return has_ended(state.epoch);
    return is_replaced_ || state.last + 1 < next_;
  }
  // An epoch that another one followed here.
  bool has_ended(std::uint64_t epoch) const { return std::ranges::find(ended_, epoch) != ended_.end(); }

  enum class Take : std::uint8_t {
    deliver,
    deliver_after_gap,  // everything between the last one and this one is gone
    skip,               // delivered before
    skip_epoch,         // of an earlier epoch of the stream; `lost` moves
    skip_foreign,       // of no epoch: somebody else has published it. It has a place all the same
    restart,  // messages were lost on the way, the stream has begun another epoch, or is_rolled_back()
  };
  Take take(const Delivery& delivery, std::uint64_t epoch);
  // Everything up to there has been deleted at the broker, or was delivered. What comes before next() cannot be compared then.
  void pass(std::uint64_t until);
  // A sign of life. False: messages before it were lost on the way.
  bool matches(std::uint64_t last_consumer_sequence) const {
    return last_consumer_sequence == consumer_sequence_;
  }

  std::uint64_t epoch() const { return epoch_; }
  // The sequence that is wanted next.
  std::uint64_t next() const { return next_; }
  // The sequence from which a consumer begins: the one before next(), if the broker has it.
  std::uint64_t from() const { return is_checking_ ? next_ - 1 : next_; }
  // Until the consumer's first message is here, nobody knows whether the broker still has what was delivered.
  bool is_checking() const { return is_checking_; }
  // Of everything before next().
  Mark mark() const { return {.position = {.epoch = epoch_, .offset = next_ - 1}, .time = time_}; }

  // One more, and the oldest is forgotten.
  static constexpr std::size_t kEndedMax = 64;

 private:
  void step_behind(const Delivery& delivery);
  void note_ended(std::uint64_t epoch);

  std::vector<std::uint64_t> ended_;  // epochs that others followed here
  std::uint64_t epoch_ = 0;           // zero: unknown
  std::uint64_t next_ = 1;
  std::uint64_t time_ = 0;  // of the message before next_; zero: unknown
  std::uint64_t consumer_sequence_ = 0;
  std::uint64_t end_ = 0;       // of the stream, when the consumer began
  bool has_delivered_ = false;  // in this epoch
  bool is_checking_ = false;
  bool is_replaced_ = false;  // the message before next_ is another one now
  bool is_passed_ = false;    // the message before next_ was deleted
};

}  // namespace fanfare::relay
