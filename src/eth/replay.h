#pragma once
// Turns the batches of History into the notifications of one subscription, each with the cursor that follows
// it. One thread, the loop's.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eth/cursor.h"
#include "eth/feeds/feed.h"
#include "eth/history.h"
#include "eth/resume_turns.h"

namespace fanfare::eth {

// The value of `notice`: {"type":"live","block":"0x.."} and the like.
std::string live_notice(std::uint64_t block);
std::string missed_notice(std::uint64_t first, std::uint64_t last, MissedBecause because);
// The last notice of a stream that ends; `message` is for a log.
std::string ended_notice(std::string_view message);
std::string reorged_notice(std::uint64_t first, std::uint64_t last);

class Replay {
 public:
  struct Gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool is_reorg = false;  // what was sent of these blocks is void; else events of them were missed
    MissedBecause because = MissedBecause::window;
  };
  struct Message {
    bool is_notice = false;
    std::string json;  // of the member `result` or `notice`
    Position after;
    bool retracts = false;
    bool is_aside = false;                           // the client's position stays where it is
    std::vector<ResumeTurns::Lowered> lowered = {};  // aside: which of may_have() go down with it
    std::optional<Gap> gap = {};                     // the notice says that
  };

  // As the members of HistoryNeeds.
  explicit Replay(const Position& from, std::vector<Position> may_have = {},
                  std::optional<std::uint64_t> removed_since = {})
      : position_(from), may_have_(std::move(may_have)), removed_since_(removed_since), trail_(from) {}

  // The position to request from History once next() returns nothing more.
  const Position& position() const { return position_; }
  const std::vector<Position>& may_have() const { return may_have_; }
  std::optional<std::uint64_t> removed_since() const { return removed_since_; }
  // Which of these went down without a message since the last call.
  std::vector<ResumeTurns::Lowered> take_lowered() { return std::exchange(lowered_, {}); }
  // Whether a batch has covered some of these since the last call: what was retracted, or sent again.
  bool take_settled() { return std::exchange(has_settled_, false); }

  // Call only between batches.
  void start(HistoryBatchPtr batch);
  bool has_batch() const { return batch_ != nullptr; }
  // The subscriber was notified that something is missing, or cannot be retracted.
  bool is_incomplete() const { return is_incomplete_; }
  // The subscription is live after this batch.
  bool is_last() const { return batch_ != nullptr && batch_->live; }
  // The next message for a subscription of this group of the feed. Empty: the batch is finished and released.
  std::optional<Message> next(Feed& feed, GroupIndex group);

 private:
  std::optional<Message> next_of(const HistoryEvent& event, Feed& feed, GroupIndex group);
  Message aside_message(const HistoryEvent& event, Feed::Replayed replayed);
  void leave_aside();
  std::optional<Message> message_of(std::optional<Feed::Replayed> replayed) const;
  Message gap_message(const HistoryEvent& event, const Position& after);

  Position position_;
  std::vector<Position> may_have_;
  std::optional<std::uint64_t> removed_since_;
  std::vector<ResumeTurns::Lowered> lowered_;
  bool has_settled_ = false;
  Trail trail_;
  HistoryBatchPtr batch_;
  std::size_t event_ = 0;
  bool is_begun_ = false;  // the event
  bool is_aside_over_ = false;
  std::size_t step_ = 0;  // within the event, for the feed
  bool is_incomplete_ = false;
};

}  // namespace fanfare::eth
