#include "eth/replay.h"

#include <utility>

#include "base/check.h"
#include "jsonrpc/response.h"

namespace fanfare::eth {
namespace {

std::string notice(std::string_view type, std::uint64_t first, std::uint64_t last) {
  return R"({"type":")" + std::string(type) + R"(","fromBlock":")" + to_quantity(first) + R"(","toBlock":")" +
         to_quantity(last) + '"';
}

}  // namespace

std::string live_notice(std::uint64_t block) {
  return R"({"type":"live","block":")" + to_quantity(block) + "\"}";
}

std::string missed_notice(std::uint64_t first, std::uint64_t last, MissedBecause because) {
  return notice("missed", first, last) + R"(,"reason":")" + std::string(name_of(because)) + "\"}";
}

std::string ended_notice(std::string_view message) {
  std::string json = R"({"type":"ended","reason":"missed","message":)";
  jsonrpc::append_string(json, message);
  return json + '}';
}

std::string reorged_notice(std::uint64_t first, std::uint64_t last) {
  return notice("reorged", first, last) + '}';
}

void Replay::start(HistoryBatchPtr batch) {
  FANFARE_CHECK(batch_ == nullptr);
  batch_ = std::move(batch);
  event_ = 0;
  is_begun_ = false;
  step_ = 0;
}

std::optional<Replay::Message> Replay::next(Feed& feed, GroupIndex group) {
  if (batch_ == nullptr) return std::nullopt;
  for (; event_ < batch_->events.size(); ++event_, step_ = 0) {
    const HistoryEvent& event = batch_->events[event_];
    const bool moves = event.header != nullptr && !event.is_aside;
    if (!std::exchange(is_begun_, true) && moves) trail_.move_to(*event.header);
    if (auto message = next_of(event, feed, group)) return message;
    is_begun_ = false;
    if (event.kind == HistoryEvent::Kind::removed && moves) trail_.move_to_parent_of(*event.header);
  }
  position_ = batch_->reached;
  has_settled_ = batch_->ahead.size() < may_have_.size() || removed_since_;
  may_have_ = batch_->ahead;
  if (removed_since_) removed_since_ = batch_->removals;
  trail_ = Trail(position_);
  if (std::exchange(batch_, nullptr)->live) {
    return Message{.is_notice = true, .json = live_notice(position_.number), .after = position_};
  }
  return std::nullopt;
}

std::optional<Replay::Message> Replay::next_of(const HistoryEvent& event, Feed& feed, GroupIndex group) {
  switch (event.kind) {
    case HistoryEvent::Kind::removed: {
      auto message = message_of(feed.replay_removed(group, event, step_));
      if (message) message->retracts = true;
      if (message) message->is_aside = event.is_aside;
      return message;
    }
    case HistoryEvent::Kind::rest:
    case HistoryEvent::Kind::added:
      return message_of(feed.replay_added(group, event, step_));
    case HistoryEvent::Kind::missed:
      if (step_++ > 0) return std::nullopt;
      return gap_message(event,
                         batch_->events.size() == 1 ? batch_->reached : trail_.position(Position::kAll));
    case HistoryEvent::Kind::reorged:
      break;
  }
  if (step_++ > 0) return std::nullopt;
  return gap_message(event, event.is_aside ? position_ : trail_.position(Position::kAll));
}

Replay::Message Replay::gap_message(const HistoryEvent& event, const Position& after) {
  is_incomplete_ = true;
  const bool is_reorg = event.kind == HistoryEvent::Kind::reorged;
  return {
      .is_notice = true,
      .json = is_reorg ? reorged_notice(event.first, event.last)
                       : missed_notice(event.first, event.last, event.because),
      .after = after,
      .gap = Gap{.first = event.first, .last = event.last, .is_reorg = is_reorg, .because = event.because}};
}

std::optional<Replay::Message> Replay::message_of(std::optional<Feed::Replayed> replayed) const {
  if (!replayed) return std::nullopt;
  return Message{.json = std::move(replayed->json), .after = trail_.position(replayed->logs_told)};
}

}  // namespace fanfare::eth
