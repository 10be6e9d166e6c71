#pragma once
// One subscription's way through the batches of History: from what happened to the notifications it gets,
// each with the cursor that stands after it. One thread, the loop's.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "eth/cursor.h"
#include "eth/history.h"
#include "eth/log_filter.h"
#include "eth/subscription_params.h"

namespace fanfare::eth {

// {"type":"live","block":"0x.."} and its like: the value of `notice`.
std::string live_notice(std::uint64_t block);
std::string missed_notice(std::uint64_t first, std::uint64_t last, MissedBecause because);
// The last word of a stream that goes no further; `message` is for a log.
std::string ended_notice(std::string_view message);
std::string reorged_notice(std::uint64_t first, std::uint64_t last);

class Replay {
 public:
  struct Message {
    bool is_notice = false;
    std::string json;  // of the member `result` or `notice`
    Position after;
  };

  Replay(SubscriptionType type, const Position& from) : type_(type), position_(from), trail_(from) {}

  // What to ask History for next, once next() has nothing more.
  const Position& position() const { return position_; }
  HistoryNeeds needs() const {
    return {.logs = type_ == SubscriptionType::logs,
            .receipts = type_ == SubscriptionType::transaction_receipts};
  }

  // In between batches.
  void start(HistoryBatchPtr batch);
  bool has_batch() const { return batch_ != nullptr; }
  // It was told that something is missing, or cannot be taken back.
  bool is_incomplete() const { return is_incomplete_; }
  // With the end of this one the subscription is live.
  bool is_last() const { return batch_ != nullptr && batch_->live; }
  // Empty: the batch is through, and gone.
  struct Filters {
    const LogFilter& logs;
    const ReceiptFilter& receipts;
  };
  std::optional<Message> next(const Filters& filters);

 private:
  std::optional<Message> next_of(const HistoryEvent& event, const Filters& filters);
  std::optional<Message> next_removed(const HistoryEvent& event, const LogFilter& filter);
  std::optional<Message> next_added(const HistoryEvent& event, const Filters& filters);

  SubscriptionType type_;
  Position position_;
  Trail trail_;
  HistoryBatchPtr batch_;
  std::size_t event_ = 0;
  std::size_t step_ = 0;  // within the event
  bool is_incomplete_ = false;
};

}  // namespace fanfare::eth
